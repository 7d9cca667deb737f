"""Run real gates on this machine's CPU with one thread: `python -m tests.gate.real [A-AGAINST-A RUNS] [RUN OPTIONS]`.

It makes a repository with ResNet-18, whose working tree is unchanged, gets one
more 3x3 block, or busy-waits for a tenth of each call. Prints one line per gate.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.gate.conftest import git

SAME = """from backbone_bench.zoo.families.resnet import resnet18


def net():
    return resnet18()
"""
BLOCK = """from backbone_bench.zoo.families.blocks import ConvNorm
from backbone_bench.zoo.families.resnet import resnet18


def net():
    model = resnet18()
    model.stages.stage2.append(ConvNorm(128, 128, 3))
    return model
"""
BUSY = """import time

from backbone_bench.zoo.families.resnet import ResNet, resnet18


def forward(self, x):
    start = time.perf_counter()
    out = ResNet.forward(self, x)
    if x.device.type == "cpu":
        end = time.perf_counter() + (time.perf_counter() - start) / 10
        while time.perf_counter() < end:
            pass
    return out


def net():
    model = resnet18()
    model.__class__ = type("Busy", (ResNet,), {"forward": forward})
    return model
"""


def main(repeats: int, options: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        git(repository, "init", "--initial-branch=main")
        (repository / "net.py").write_text(SAME)
        git(repository, "add", "net.py")
        git(repository, "commit", "--message=ResNet-18")
        for name, source in (*[("A against A", SAME)] * repeats, ("one more block", BLOCK), ("busy by 10 %", BUSY)):
            (repository / "net.py").write_text(source)
            gate(name, repository, options)


def gate(name: str, repository: Path, options: list[str]) -> None:
    """Run one gate and print its result in one line."""
    words = ("--base-ref", "main", "--quiet", "-f", "json", "--", "run", "--model", "net.py:net", "--threads", "1")
    start_s = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "backbone_bench", "gate", *words, "--input", "3x224x224", "--device", "cpu", *options],
        cwd=repository, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not ended.stdout:
        print(name, ended.returncode, ended.stderr.strip())
        return
    found = {one["metric"]: one for one in json.loads(ended.stdout)["findings"]}
    wall = found["wall_s"]
    exact = sorted({one["verdict"] for metric, one in found.items() if one["change"] is None})
    places = [row["module"] for one in found.values() for row in one["moved"]][:2]
    change = wall["change"]
    point, low, high = (f"{100 * (change[bound] - 1):+.1f} %" for bound in ("ratio", "low", "high"))
    again = f", rerun {100 * (wall['confirmed']['ratio'] - 1):+.1f} %" if wall["confirmed"] else ""
    print(
        f"{name}: exit {ended.returncode}; counts {'/'.join(exact)} {' '.join(places)}; wall {wall['verdict']}, "
        f"{point} ({low} to {high}), {change['rounds']} rounds{again}, "
        f"detectable {100 * wall['detectable']:.1f} %; {time.monotonic() - start_s:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2:])
