"""Which images a network takes at all: asked of the network itself, by counting."""

import torch
from torch import nn

from backbone_bench.cost.counter import count

LARGEST = 1024


def smallest_image(model: nn.Module, channels: int = 3) -> int | None:
    """Height and width of the smallest square image that works, by bisection; None where none up to 1024 does."""
    dtype = next((parameter.dtype for parameter in model.parameters()), torch.float32)

    def works(size: int) -> bool:
        try:
            # Two images: one alone of one pixel is refused by batch norm in training.
            count(model, [torch.empty((2, channels, size, size), dtype=dtype, device="meta")])
        except (RuntimeError, ValueError):
            return False
        return True

    too_small, enough = 0, LARGEST
    if not works(enough):
        return None
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        too_small, enough = (too_small, middle) if works(middle) else (middle, enough)
    return enough
