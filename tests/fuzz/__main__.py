"""`python -m tests.fuzz [TARGET …] [--seconds 60]`: fuzz the loaders one after the other and print a table of results.

Needs the extra `fuzz`. The corpus is kept under `.fuzz/`, and the next run
starts from it; an input that broke a loader is stored there too.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import TARGETS

KEPT = Path(".fuzz")
HANG_S = 30  # an input that takes longer is a finding
LONGEST_BYTES = 100_000


class Ran(NamedTuple):
    """Statistics of one libFuzzer run."""

    executions: int
    edges: int
    seconds: int
    finding: str  # the last line of the traceback; empty where nothing was found


def run(name: str, seconds: int) -> Ran:
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = (f"-max_total_time={seconds}", f"-timeout={HANG_S}", f"-max_len={LONGEST_BYTES}", "-rss_limit_mb=4096")
    words = (str(corpus), *limits, "-len_control=0", f"-artifact_prefix={KEPT / name}.", "-print_final_stats=1")
    command = (sys.executable, "-W", "ignore", "-m", "tests.fuzz.guided", name, *words)
    log = KEPT / f"{name}.log"
    with log.open("w") as file:
        code = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
    return read(log.read_text(errors="replace"), code)


def read(log: str, code: int) -> Ran:
    """Parse the log of libFuzzer. Raises ValueError if it has no statistics."""
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", log) or re.findall(r"^#(\d+)", log, re.MULTILINE)
    edges, seconds = re.findall(r"cov: (\d+)", log), re.search(r"Done \d+ runs in (\d+) second", log)
    if not edges or not executions:
        raise ValueError(f"libFuzzer did not run: {log[-2000:]}")
    count = executions[-1] if isinstance(executions, list) else executions[1]
    raised = re.findall(r"^(\w+(?:\.\w+)*(?:Error|Exception|Failure)\b.*)$", log, re.MULTILINE)
    finding = "" if code == 0 else raised[0] if raised else f"ended with {code}"
    return Ran(int(count), int(edges[-1]), int(seconds[1]) if seconds else 0, finding)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; without any, all of them"
    )
    parser.add_argument("--seconds", type=int, default=60, help="time per target")
    options = parser.parse_args()
    if unknown := set(options.targets) - TARGETS.keys():
        parser.error(f"no target is called {', '.join(sorted(unknown))}")
    print("| target | executions | edges | finding |", "| --- | ---: | ---: | --- |", sep="\n", flush=True)
    found = False
    for name in options.targets or TARGETS:
        ran = run(name, options.seconds)
        print(f"| {name} | {ran.executions} | {ran.edges} | {ran.finding or '–'} |", flush=True)
        found = found or bool(ran.finding)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
