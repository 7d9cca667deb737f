"""A published accuracy is shown only for the network and the input size that it belongs to."""

from dataclasses import replace

import pytest

from backbone_bench.records import Missing, Record
from backbone_bench.report.views import top1
from backbone_bench.zoo import catalogue
from tests.report.samples import RESNET50, cost


def renamed(model: str, params: int, size: int = 224) -> Record:
    workload = replace(RESNET50.workload, model=model, inputs=(f"1x3x{size}x{size}:float32",))
    return replace(RESNET50, workload=workload, cost=cost(4_089_184_256, params=params))


@pytest.mark.parametrize("row", sorted({(row.model, row.params_m) for row in top1.published()}), ids=lambda row: row[0])
def test_the_network_that_was_trained_has_as_many_parameters_as_the_zoo_s(row: tuple[str, str]):
    model, params_m = row
    assert f"{catalogue.find(model).params / 1e6:.2f}" == params_m


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("resnet50", "resnet50.tv_in1k"),
        ("torchvision:resnet50", "resnet50.tv_in1k"),
        ("timm:resnet50", "resnet50.tv_in1k"),
        ("timm:resnet50.a1_in1k", "resnet50.a1_in1k"),
    ],
)
def test_the_recipe_is_that_of_the_name(model: str, weights: str):
    found = top1.published_top1(renamed(model, 25_557_032))
    assert isinstance(found, top1.Top1)
    assert (found.weights, found.size) == (weights, 224)


@pytest.mark.parametrize(
    ("model", "params", "error"), [("vovnet39", 22_600_296, 23.23), ("vovnet57", 36_640_296, 22.27)]
)
def test_vovnets_have_the_accuracy_that_their_authors_print(model: str, params: int, error: float):
    """The README of stigma0617/VoVNet.pytorch prints top-1 errors."""
    found = top1.published_top1(renamed(model, params))
    assert isinstance(found, top1.Top1)
    assert float(found.percent) == pytest.approx(100 - error)
    assert (found.tested_by, found.weights_and_recipe) == ("authors", "VoVNet.pytorch.tv_in1k")
    assert isinstance(top1.published_top1(renamed(f"timm:{model}", params)), Missing)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (renamed("resnet50", 23_528_522), "other_network"),  # ten classes
        (renamed("resnet50", 25_557_032, size=512), "other_size"),
        (renamed("mine.py:resnet50", 25_557_032), "no_top1"),
        (replace(RESNET50, cost=Missing("failed", "not counted")), "no_top1"),
    ],
)
def test_another_network_or_size_has_no_accuracy_and_says_why(made: Record, reason: str):
    found = top1.published_top1(made)
    assert isinstance(found, Missing)
    assert found.missing == reason
