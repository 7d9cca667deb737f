"""Measure on this machine what `results/cpu.md` shows: `results/records/cpu.jsonl`, which `tools.generate` reads.

Wants a quiet machine; one that was interrupted goes on where it was. Records are published whole, with every sample
and operation, but for what tells whose machine it was.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backbone_bench.records import Record, store
from backbone_bench.report.plots.roofline import COPY, PRODUCT

RECORDS = Path("results/records/cpu.jsonl")
RAW = RECORDS.with_suffix(".unpublished.jsonl")

# One or two of every family of the zoo, all at one size, so that one table and one plot may hold them.
NETWORKS = (
    "vgg11_bn", "vgg16", "resnet18", "resnet34", "resnet50", "resnetv2_50", "resnext50_32x4d", "googlenet",
    "inception_v3", "darknet19", "darknet53", "densenet121", "densenet201", "cspresnet50", "cspdensenet121",
    "mobilenetv2", "cspmobilenetv2", "peleenet", "vovnet27_slim", "vovnet39", "vovnetv2_19", "vovnetv2_39",
)  # fmt: skip
CIRCUMSTANCES = ("--device", "cpu", "--threads", "1")


def published(record: Record) -> Record:
    """The record without the names of its host and of the kernel, container and runner that it was made in."""
    return replace(record, environment=replace(record.environment, host=None, kernel=None, container=None, ci=None))


def bench(words: Sequence[str]) -> None:
    program = Path(sys.executable).with_name("bench")  # by the name that the records are to quote
    command = [str(program), "run", *words, *CIRCUMSTANCES, "--resume", "-o", str(RAW)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="instead of those that are published")
    parser.add_argument("--quick", action="store_true", help="a first look, not to be published")
    asked = parser.parse_args()
    quick = ["--quick"] if asked.quick else []
    RAW.parent.mkdir(parents=True, exist_ok=True)
    bench([PRODUCT, COPY, *quick])
    bench([*asked.networks, "--input-size", "224", *quick])
    store.write(RECORDS, store.dump_lines(map(published, store.read([RAW], sys.exit))))
    RAW.unlink()


if __name__ == "__main__":
    main()
