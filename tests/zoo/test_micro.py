"""The micro-benchmarks: which costs they keep equal, and which they change."""

import pytest
import torch

from backbone_bench.cost import count
from backbone_bench.jobs.job import Job
from backbone_bench.profiler import count as counted
from backbone_bench.records import ModelCost
from backbone_bench.zoo import micro


def test_pieces_are_the_same_convolution():
    whole, pieces = micro.split(1, channels=8, layers=1), micro.split(4, channels=8, layers=1)
    whole.load_state_dict({"0.branches.0.weight": torch.cat(list(pieces.parameters()))})
    image = torch.rand(1, 8, 5, 5)
    torch.testing.assert_close(pieces(image), whole(image))
    one, four = (count(micro.split(n), micro.split(n).example_inputs()) for n in (1, 4))
    assert (one.flops, one.params) == (four.flops, four.params)
    assert four.ops > one.ops


def test_a_bottleneck_saves_arithmetic_and_adds_an_operation_a_layer():
    """1x1 to half of c channels, then 3x3 to c: (1 + 9) c²/2 in the place of 9 c²."""
    bottleneck, plain = (count(stack, stack.example_inputs()) for stack in (micro.bottleneck(), micro.plain()))
    assert bottleneck.flops == pytest.approx(plain.flops * 5 / 9)
    assert bottleneck.ops == 2 * plain.ops


def test_a_size_keeps_the_channels_that_the_model_asks_for():
    name = "backbone_bench.zoo.micro:plain"
    small, large = (counted(Job(name, {"layers": 1}, input_size=size)) for size in (14, 28))
    assert (small.workload.inputs, large.workload.inputs) == (("1x128x14x14:float32",), ("1x128x28x28:float32",))
    assert isinstance(small.cost, ModelCost)
    assert isinstance(large.cost, ModelCost)
    assert large.cost.flops == 4 * small.cost.flops
