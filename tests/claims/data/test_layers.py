"""Costs of convolutions in closed form, compared with torch's own counter and parameters."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from backbone_bench.claims.data.arithmetic import Expression
from backbone_bench.claims.data.layers import Layer, convolution, cost

WIDTHS = st.integers(1, 96)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("kernel", [1, 3, (3, 1), 5])
def test_a_layer_costs_what_torch_counts(kernel, groups):
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    module = nn.Conv2d(8, 12, (height, width), padding=(height // 2, width // 2), groups=groups)
    with FlopCounterMode(display=False) as counter:
        out = module(torch.zeros(1, 8, 10, 10))
    layer = Layer(
        ci=Expression("8"), co=Expression("12"), side=Expression("10"), groups=Expression(str(groups)), bias=True,
        kernel=kernel if isinstance(kernel, tuple) else Expression(str(kernel)),
    )  # fmt: skip
    found = cost([layer], {})
    assert found.flops == counter.get_total_flops() / 2
    assert found.params == sum(parameter.numel() for parameter in module.parameters())
    assert found.cio == 8 * 10 * 10 + out.numel()
    assert found.access == found.cio + module.weight.numel()


@given(WIDTHS, WIDTHS, st.sampled_from([1, 9, 25]), st.integers(1, 4096))
def test_access_is_at_least_the_papers_bound_and_equal_just_at_equal_widths(ci, co, area, positions):
    found = convolution(area, float(ci), float(co), float(positions))
    flops = area * positions * ci * co
    bound = 2 * (positions * flops / area) ** 0.5 + flops / positions
    assert found.least_access == pytest.approx(bound, rel=1e-12)
    assert found.access >= bound * (1 - 1e-12)
    assert (found.access <= bound * (1 + 1e-9)) == (ci == co)


@given(st.integers(0, 40), WIDTHS, WIDTHS)
def test_a_repeated_layer_is_the_sum_of_its_layers(m, c, d):
    """A dense block: c channels, and d more for each layer."""
    block = Layer(ci=Expression("c + i * d"), co=Expression("d"), each={"i": Expression("m")})
    found = cost([block], {"c": float(c), "d": float(d), "m": float(m)})
    assert found.cio == sum(c + i * d + d for i in range(m))
    assert found.convolutions == m


def test_the_input_of_a_strided_layer_is_as_much_larger():
    layer = Layer(ci=Expression("3"), co=Expression("8"), side=Expression("4"), stride=2)
    assert cost([layer], {}).cio == 8 * 8 * 3 + 4 * 4 * 8
