"""Speed of the tool itself: `make speed`. Compare the ratios of one run; absolute times depend on the machine."""

import resource
import statistics
import subprocess
import sys
import time

from tests.speed import counting, latency

ROUNDS = 5


def whole_processes() -> str:
    """CPU time of `bench list` and of counts, from the catalogue and with torch, over that of `import torch`."""
    commands = {
        "import torch": [sys.executable, "-c", "import torch"],
        "bench count resnet50 vovnet39": [sys.executable, "-m", "backbone_bench", "count", "resnet50", "vovnet39"],
        "bench count resnet50 -f json": [sys.executable, "-m", "backbone_bench", "count", "resnet50", "-f", "json"],
        "bench list": [sys.executable, "-m", "backbone_bench", "list"],
    }
    rounds = [{name: _spent_s(words) for name, words in commands.items()} for _ in range(ROUNDS)]
    floor_s = statistics.median(times["import torch"] for times in rounds)
    rows = [
        f"| {name} | {statistics.median(times[name] / times['import torch'] for times in rounds):.2f} |"
        for name in commands
    ]
    return "\n".join(
        (
            "| whole process | over `import torch` |",
            "| --- | ---: |",
            *rows,
            "",
            f"`import torch`: {floor_s:.2f} s on this machine.",
        )
    )


def claims() -> str:
    """CPU time of all claims that need no device, in one process."""
    start = time.perf_counter()
    spent_s = _spent_s([sys.executable, "-m", "backbone_bench", "claims", "--format", "csv"])
    return f"All of `bench claims`: {spent_s:.0f} s of CPU time, {time.perf_counter() - start:.0f} s of wall time."


def _spent_s(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    for part in (whole_processes, claims, counting.table, latency.table):
        print(part(), end="\n\n", flush=True)
