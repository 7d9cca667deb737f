"""What the whole zoo costs, counted: `results/static.md`, and the picture on the README's first screen."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from backbone_bench.records import Record, store
from backbone_bench.report.drawing import svg
from backbone_bench.report.plots.kinds import stacks
from tools.zoo_page import static

POINT = ("resnet50", "densenet201", "vovnet39")  # fewer FLOPs, more traffic; and the other way round


@cache
def counted() -> tuple[Record, ...]:
    """One record a network, from fresh counts."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "zoo.jsonl"
        words = ["count", "--all", "-o", str(file)]
        subprocess.run([sys.executable, "-m", "backbone_bench", *words], stdout=subprocess.DEVNULL, check=True)
        return store.read([file], sys.exit)


def text() -> str:
    return static(counted())


def picture() -> str:
    """What three networks cost, by kind of operation."""
    by_name = {record.workload.model: record for record in counted()}
    return svg.file(stacks("point", "FLOPs, traffic and operations", [by_name[name] for name in POINT], ""))
