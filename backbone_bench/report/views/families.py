"""The family of a record's model, and the number of each family's style: its colour and shape in every plot."""

from collections.abc import Mapping
from typing import get_args

from backbone_bench.records import ModelSource, Record
from backbone_bench.zoo import catalogue  # the only part of the zoo that does not load torch

# The order decides colour and shape: the first six have six colours, and vovnetv2 that of vovnet.
_STYLED = (
    "resnet", "densenet", "vovnet", "vgg", "cspnet", "resnext",
    "resnetv2", "inception", "vovnetv2", "darknet", "mobilenetv2", "peleenet",
    "mobilenetv1", "hardnet", "shufflenetv1", "alexnet",
)  # fmt: skip
STYLES: Mapping[str, int] = {name: number for number, name in enumerate((*_STYLED, *get_args(ModelSource)))}


def family(record: Record) -> str:
    """The family of a zoo model; the source of any other model."""
    entry = catalogue.entries().get(record.workload.model)
    return entry.family if entry else record.workload.source
