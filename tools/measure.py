"""Measure the networks of `results/cpu.md` on this machine: `results/records/cpu.jsonl`, which `tools.generate` reads.

The machine should be idle. After an interrupt the next call resumes. Records are published with every sample and
operation, but without what identifies the machine.
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

# One or more networks of every family of the zoo, all at one input size, so that one table and one plot can show them.
NETWORKS = (
    "vgg11_bn", "vgg16", "resnet18", "resnet34", "resnet50", "resnetv2_50", "resnext50_32x4d", "googlenet",
    "inception_v3", "darknet19", "darknet53", "densenet121", "densenet201", "cspresnet50", "cspdensenet121",
    "mobilenetv2", "cspmobilenetv2", "peleenet", "vovnet27_slim", "vovnet39", "vovnetv2_19", "vovnetv2_39",
)  # fmt: skip
CONDITIONS = ("--device", "cpu", "--threads", "1")


def published(record: Record) -> Record:
    """The record without the names of host, kernel, container and CI runner."""
    return replace(record, environment=replace(record.environment, host=None, kernel=None, container=None, ci=None))


def bench(words: Sequence[str]) -> None:
    """Run `bench run` with these arguments; records go to `RAW`, and a second call resumes."""
    program = Path(sys.executable).with_name("bench")  # this name is quoted in the records
    command = [str(program), "run", *words, *CONDITIONS, "--resume", "-o", str(RAW)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "networks", nargs="*", default=NETWORKS, help="networks to measure; default: those of results/cpu.md"
    )
    parser.add_argument("--quick", action="store_true", help="fewer samples, for a trial; do not publish the result")
    options = parser.parse_args()
    quick = ["--quick"] if options.quick else []
    RAW.parent.mkdir(parents=True, exist_ok=True)
    bench([PRODUCT, COPY, *quick])
    bench([*options.networks, "--input-size", "224", *quick])
    store.write(RECORDS, store.dump_lines(map(published, store.read([RAW], sys.exit))))
    RAW.unlink()


if __name__ == "__main__":
    main()
