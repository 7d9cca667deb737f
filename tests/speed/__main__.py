"""How fast the tool itself is: `make speed`. Ratios within one run; an absolute time is an example."""

import resource
import statistics
import subprocess
import sys
import time

from tests.speed import counting, latency

ROUNDS = 5


def whole_processes() -> str:
    """`bench count resnet50` as a user starts it, against nothing but importing torch, in turn; processor time."""
    commands = {
        "import torch": [sys.executable, "-c", "import torch"],
        "bench count resnet50": [sys.executable, "-m", "backbone_bench", "count", "resnet50"],
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
            f"`import torch`: {floor_s:.2f} s here.",
        )
    )


def claims() -> str:
    """All claims that need no device, in one process."""
    start = time.perf_counter()
    spent_s = _spent_s([sys.executable, "-m", "backbone_bench", "claims", "--format", "csv"])
    return (
        f"`bench claims`, all of them: {spent_s:.0f} s of processor time, {time.perf_counter() - start:.0f} s in all."
    )


def _spent_s(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    for part in (whole_processes, claims, counting.table, latency.table):
        print(part(), end="\n\n", flush=True)
