"""Checks of outputs: finite values, and agreement up to rounding."""

import pytest
import torch

from backbone_bench.measure.devices.outputs import agree, finite

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(("value", "answer"), [(1.0, True), (NAN, False), (INF, False), (-INF, False)])
def test_every_number_of_a_nested_output_is_looked_at(value, answer):
    output = {"logits": torch.ones(3), "aux": (torch.tensor([1, 2]), [torch.tensor([0.0, value])])}
    assert finite(output) is answer


def test_an_output_without_tensors_is_finite_and_agrees_with_another():
    assert finite(None)
    assert agree(None, 3)


@pytest.mark.parametrize(("dtype", "off"), [(torch.float32, 1e-3), (torch.float16, 5e-3), (torch.bfloat16, 3e-2)])
def test_rounding_is_forgiven_and_another_result_is_not(dtype, off):
    one = torch.linspace(-4, 4, 100).to(dtype)
    assert agree(one, one + 4 * off)
    assert not agree(one, one + 4 * 10 * off)
    assert not agree(one, torch.zeros_like(one))


def test_shape_type_and_number_of_tensors_matter():
    one = torch.ones(2, 3)
    assert not agree(one, torch.ones(3, 2))
    assert not agree(one, one.double())
    assert not agree((one, one), one)
    assert not agree(torch.tensor([1, 2]), torch.tensor([1, 3]))


def test_two_outputs_that_are_nan_in_the_same_place_agree():
    assert agree(torch.tensor([1.0, NAN]), torch.tensor([1.0, NAN]))
    assert not agree(torch.tensor([1.0, NAN]), torch.tensor([1.0, 2.0]))
