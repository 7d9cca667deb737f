"""Measure the networks of a GPU's page of results on the card of this machine, and write it: `results/gpu.md`.

`make gpu-results` runs it with the interpreter that is there. A card is often lent for minutes: every record is kept at
once in a file beside (`*.unpublished.jsonl`), the call ends after eight minutes or on Ctrl-C, and the next one goes on
with what is left. Take those files away before you measure on another card, or anew. What is published has every
sample, but not what identifies the machine.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.records import Record, store
from tools import calibrations, gpu_page, predictions
from tools.measure import published

FOLDER = Path("results/records/gpu")

# Seconds on an NVIDIA H200, from the times between the records in results/records/h200.
START_S = 2.5  # start a process and load torch
BUILD_S = 0.6  # of a row besides its budget: build and count the network
ENERGY_S = 9.7  # by --quick: idle power, warm-up, probe of the source, windows
QUICK_S = 3.0  # latency by --quick, without a budget
COMPILE_S = 8.0  # assumed: no compiler was timed there


class Rows(NamedTuple):
    """Rows of one set, which one process measures: each model at each batch size."""

    name: str  # of the set, and of its file
    models: tuple[str, ...]
    words: str  # options of `bench run`
    batches: tuple[int, ...] = (1,)
    budget_s: float | None = None  # for the latency of a row; cuDNN's search for algorithms takes up to 2 s of it
    more_s: float = BUILD_S  # time of a row besides its budget

    @property
    def size(self) -> int:
        return len(self.models) * len(self.batches)

    @property
    def row_s(self) -> float:
        return (self.budget_s or 0.0) + self.more_s


AT_224 = (
    "resnet50", "densenet121", "vovnet39", "resnet34", "vgg19", "resnet101", "densenet201", "densenet161",
    "resnext50_32x4d", "resnet152", "wide_resnet50_2", "vovnet27_slim", "vovnet57", "vovnetv2_39", "inception_v3",
    "resnetv2_50", "vovnet27_slim_paper", "vovnet27_slim_bottleneck",
)  # fmt: skip
AT_256 = ("darknet53", "cspdarknet53", "resnet50", "cspresnet50", "resnext50_32x4d", "cspresnext50")
AT_320 = ("densenet201", "resnet50", "densenet161", "resnet101")
BATCH_32 = (
    "resnet50", "densenet121", "vovnet39", "resnet34", "vgg19", "densenet201", "resnet101", "darknet53", "cspdarknet53",
    "cspresnet50", "vovnet27_slim", "vovnet57", "inception_v3", "resnext50_32x4d",
)  # fmt: skip
# In both lists above, so that each setting has its row in IEEE fp32; those that compile fast come first.
IN_SETTINGS = (
    "vgg19", "resnet34", "resnet50", "resnext50_32x4d", "vovnet27_slim", "vovnet39", "inception_v3", "densenet121",
)  # fmt: skip

PLAIN, SPLIT, BOTTLENECK = (f"backbone_bench.zoo.micro:{name}" for name in ("plain", "split", "bottleneck"))
FRAGMENTED = "backbone_bench.zoo.shufflenet_micro:fragmented"
STACKS = tuple(
    Rows("stacks-and-320", models, f"--no-energy {words}", budget_s=1.0)
    for models, words in (
        ((PLAIN,), "--input-size 7"),
        ((PLAIN,), "--input-size 14"),
        ((PLAIN,), "--input-size 28"),
        ((PLAIN, BOTTLENECK), "--input-size 56"),
        ((SPLIT,), "--arg pieces=1"),
        ((SPLIT,), "--arg pieces=2"),
        ((SPLIT,), "--arg pieces=4"),
        ((FRAGMENTED,), "--arg channels=128 --arg pieces=1"),
        ((FRAGMENTED,), "--arg channels=128 --arg pieces=4"),
        ((FRAGMENTED,), "--arg channels=128 --arg pieces=4 --arg parallel=true"),
    )
)

# Torch's own default computes convolutions in TF32, and most people run bfloat16 with channels-last tensors, many of
# them compiled. `--precision amp` is autocast to float16 on CUDA, as torch has it by default, and no option of this
# program gives autocast to bfloat16: here the whole model is in bfloat16.
TF32 = "--no-energy --input-size 224 --precision tf32"
HALF = "--no-energy --input-size 224 --precision bf16 --channels-last"

# Time on an NVIDIA H200, with START_S for each call and row_s for each row:
#   batch1          2 calls, 24 rows of 2.1 s                        55 s
#   batch32         1 call,  14 rows of 13.3 s                      189 s
#   stacks-and-320 11 calls, 4 rows of 13.3 s and 11 of 1.6 s        98 s
#   settings        4 calls, 16 rows of 2.1 s and 16 of 3.6 s       101 s
# together 443 s, seven and a half minutes. Then the networks that were predicted, and last what is compiled, since
# nobody knows how long that takes:
#   predicted       2 calls, 16 rows of 2.1 s and 16 of 3.6 s        96 s
#   compiled        1 call,  16 rows of 11.6 s                      188 s
# so a call of eight minutes leaves these to the next one.
ROWS = (
    Rows("batch1", AT_224, "--no-energy --input-size 224", budget_s=1.5),
    Rows("batch1", AT_256, "--no-energy --input-size 256", budget_s=1.5),
    Rows("batch32", BATCH_32, "--quick --input-size 224", (32,), budget_s=3.0, more_s=BUILD_S + ENERGY_S),
    Rows("stacks-and-320", AT_320, "--quick --input-size 320", budget_s=3.0, more_s=BUILD_S + ENERGY_S),
    *STACKS,
    Rows("settings", IN_SETTINGS, TF32, budget_s=1.5),
    Rows("settings", IN_SETTINGS, TF32, (32,), budget_s=3.0),
    Rows("settings", IN_SETTINGS, HALF, budget_s=1.5),
    Rows("settings", IN_SETTINGS, HALF, (32,), budget_s=3.0),
    Rows("predicted", predictions.NETWORKS, "--no-energy", budget_s=1.5),
    Rows("predicted", predictions.NETWORKS, "--no-energy", (32,), budget_s=3.0),
    # Without a budget: the first call compiles, and would spend it.
    Rows("compiled", IN_SETTINGS, f"{HALF} --quick --compile default", (1, 32), more_s=BUILD_S + QUICK_S + COMPILE_S),
)
MINUTES = 8.0


class Options(NamedTuple):
    """The options of this script."""

    device: str
    only: tuple[str, ...]
    budget: float | None
    minutes: float
    dry_run: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the chosen sets, and write what is published of them. The exit code is 1 if rows are missing."""
    options = parse(arguments)
    chosen = [with_budget(rows, options.budget) for rows in ROWS if not options.only or rows.name in options.only]
    if options.dry_run:
        print("\n".join(forecast(chosen)))
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    troubles = list(measure(chosen, options))
    for name in dict.fromkeys(rows.name for rows in chosen):
        publish(name)
    write_page()
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


def parse(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sets = list(dict.fromkeys(rows.name for rows in ROWS))
    parser.add_argument("--device", default="cuda", help="default: cuda; cpu is for a trial")
    parser.add_argument("--only", action="append", default=[], choices=sets, help="measure only this set; repeatable")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="for the latency of each row, in place of ours")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="end after so many minutes; default: 8")
    parser.add_argument("--dry-run", action="store_true", help="list the rows and their times on an NVIDIA H200")
    words = parser.parse_args(arguments)
    return Options(words.device, tuple(words.only), words.budget, words.minutes, words.dry_run)


def with_budget(rows: Rows, budget_s: float | None) -> Rows:
    """The rows with another budget, if they have one."""
    return rows if budget_s is None or rows.budget_s is None else rows._replace(budget_s=budget_s)


def forecast(chosen: Sequence[Rows]) -> Iterator[str]:
    """A line for each row and for each set, with seconds on an NVIDIA H200."""
    totals_s: dict[str, float] = {}
    for rows in chosen:
        totals_s[rows.name] = totals_s.get(rows.name, 0.0) + START_S + rows.size * rows.row_s
        for model, batch in product(rows.models, rows.batches):
            yield f"{rows.name}: {model}, batch {batch}, {' '.join(_settings(rows))}, about {rows.row_s:.0f} s"
    parts = ", ".join(f"{name} {total_s:.0f} s" for name, total_s in totals_s.items())
    count = sum(rows.size for rows in chosen)
    yield f"Rows: {count}. About {sum(totals_s.values()) / 60:.1f} minutes on an NVIDIA H200: {parts}."


def measure(chosen: Sequence[Rows], options: Options) -> Iterator[str]:
    """Measure rows until the time is up. Yields a sentence about each trouble."""
    end_s = time.monotonic() + 60 * options.minutes
    try:
        for rows in chosen:
            words = bench_words(rows, options.device)
            if _recorded(rows.name, words) >= rows.size:
                continue
            code = bench(words, end_s - time.monotonic())
            if code:
                yield f"Exit code {code}, see above: bench {' '.join(words)}"
            if code == UserError.exit_code and rows is chosen[0] and not _records(rows.name):
                return  # there is no such device: no other rows would do better
    except subprocess.TimeoutExpired:
        yield f"{options.minutes:g} minutes are over: call it again for the rows that are left."
    except KeyboardInterrupt:
        yield "Interrupted: call it again for the rows that are left."


def bench_words(rows: Rows, device: str) -> list[str]:
    """The command line of these rows, behind the program's name."""
    return ["run", "--in-process", "--device", device, *_settings(rows), "--batch-size",
            ",".join(map(str, rows.batches)), "--resume", "-o", str(_raw(rows.name)), *rows.models]  # fmt: skip


def bench(words: Sequence[str], left_s: float) -> int:
    """Run `bench` with these words for at most so long; what it has finished is in its output file."""
    if left_s <= 0:
        raise subprocess.TimeoutExpired(words, left_s)
    process = subprocess.Popen([sys.executable, "-m", "backbone_bench", *words], stdout=subprocess.DEVNULL)
    try:
        return process.wait(timeout=left_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


def publish(name: str) -> None:
    """Write the published records of a set, if it has any."""
    records = _records(name)
    if records:
        path = FOLDER / f"{name}.jsonl"
        store.write(path, store.dump_lines(map(published, records)))
        print(f"{path}: {len(records)} records")


def write_page() -> None:
    """Write the page of the published records and its plots, what was predicted of them, and their calibrations."""
    if not gpu_page.AT_HAND.records:
        return
    written = gpu_page.files_of(gpu_page.AT_HAND) | predictions.files() | calibrations.at_hand(gpu_page.AT_HAND)
    for name, make in written.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
        print(path)


def _settings(rows: Rows) -> list[str]:
    budget = [] if rows.budget_s is None else ["--budget", f"{rows.budget_s:g}"]
    return [*rows.words.split(), *budget]


def _recorded(name: str, words: Sequence[str]) -> int:
    """Number of records of a set that this command line made: then no process needs to start to find that out."""
    return sum(list(record.tool.argv[1:]) == list(words) for record in _records(name))


def _records(name: str) -> tuple[Record, ...]:
    path = _raw(name)
    return store.read([path], lambda message: print(message, file=sys.stderr)) if path.exists() else ()


def _raw(name: str) -> Path:
    return FOLDER / f"{name}.unpublished.jsonl"


if __name__ == "__main__":
    raise SystemExit(main())
