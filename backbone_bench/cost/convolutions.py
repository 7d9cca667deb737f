"""The shapes of a model's convolutions, for what totals do not tell: how far access lies above its bound."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from backbone_bench.cost.counter import count

ConvolutionTuple = tuple[
    int, int, int, int, int
]  # k², input channels, output channels, positions of the output, groups


def convolutions(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> tuple[ConvolutionTuple, ...]:
    """Every call of a convolution module in one pass, in order; a functional call is not seen. Counts nothing twice."""
    found: list[ConvolutionTuple] = []

    def see(module: nn.Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            channels = module.in_channels, module.out_channels
            found.append((prod(module.kernel_size), *channels, prod(out.shape[2:]), module.groups))

    handle = register_module_forward_hook(see)
    try:
        count(model, args, kwargs)
    finally:
        handle.remove()
    return tuple(found)
