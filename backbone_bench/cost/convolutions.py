"""Shapes of a model's convolution calls.

Totals are not enough to compare memory access with its lower bound: that needs every convolution.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from backbone_bench.cost.counter import count

# k² (kernel elements), input channels, output channels, output positions, groups, input positions
ConvolutionTuple = tuple[int, int, int, int, int, int]


def convolutions(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> tuple[ConvolutionTuple, ...]:
    """Shapes of all calls of convolution modules in one pass, in call order.

    A functional call (`F.conv2d`) is not included.
    """
    found: list[ConvolutionTuple] = []

    def record(module: nn.Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            channels = module.in_channels, module.out_channels
            maps = prod(out.shape[2:]), module.groups, prod(inputs[0].shape[2:])
            found.append((prod(module.kernel_size), *channels, *maps))

    handle = register_module_forward_hook(record)
    try:
        count(model, args, kwargs)
    finally:
        handle.remove()
    return tuple(found)
