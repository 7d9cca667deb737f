"""A user program under the type checker: every result has a type, and a figure may be `Missing`."""

from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

import pytest
import torch
from torch import nn

import backbone_bench
from backbone_bench import Missing, Record
from backbone_bench.claims.data.verdicts import CheckFinding
from backbone_bench.records import Latencies, Latency, ModelCost


def flops_of(model: nn.Module) -> int:
    record = backbone_bench.count(model, (3, 8, 8), batch=2, precision="bf16")
    assert_type(record, Record)
    assert_type(record.cost, ModelCost | Missing)
    return assert_type(backbone_bench.known(record.cost).flops, int)


def milliseconds(model: nn.Module) -> float | None:
    record = backbone_bench.profile(model, torch.zeros(1, 3, 8, 8), torch.device("cpu"), batch=1, budget_s=0.1)
    if isinstance(record.latency, Missing):
        return None
    assert_type(record.latency, Latencies)
    assert_type(record.latency.wall, Latency | Missing)
    record.latency.wall.median_s  # type: ignore[union-attr]  # noqa: B018  # it may be missing
    return None if isinstance(record.latency.wall, Missing) else record.latency.wall.median_s * 1e3


def reasons(model: nn.Module) -> list[str]:
    backbone_bench.check(model, "3x8x8", flops=1.5)  # type: ignore[arg-type]  # a figure is an integer or as written
    verdicts = backbone_bench.check(model, "3x8x8", flops="1M", flops_convention=2)
    assert_type(verdicts, Mapping[str, CheckFinding])
    return [finding.reason for finding in verdicts.values()]


def again(path: Path) -> None:
    backbone_bench.count("resnet18", precision="fp8")  # type: ignore[arg-type]
    backbone_bench.save(assert_type(backbone_bench.load(path), tuple[Record, ...]), path)


def test_what_is_missing_is_raised_with_its_reason():
    with pytest.raises(backbone_bench.CouldNotMeasure, match="no such sensor"):
        backbone_bench.known(Missing("absent", "no such sensor"))


def test_what_is_typed_so_runs_so():
    assert flops_of(nn.Conv2d(3, 4, 3, bias=False)) == 2 * 4 * 6 * 6 * 27
