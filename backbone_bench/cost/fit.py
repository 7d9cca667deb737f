"""Smallest input size that a network accepts, found by trying to count it."""

import torch
from torch import nn

from backbone_bench.cost.counter import count

LARGEST = 1024


def smallest_image(model: nn.Module, channels: int = 3) -> int | None:
    """Side of the smallest square image that the model accepts, by bisection; None if no image up to 1024 works."""
    dtype = next((parameter.dtype for parameter in model.parameters()), torch.float32)

    def works(size: int) -> bool:
        try:
            # Batch 2: in training, batch norm refuses a single image of one pixel.
            count(model, [torch.empty((2, channels, size, size), dtype=dtype, device="meta")])
        except (RuntimeError, ValueError):
            return False
        return True

    too_small, works_at = 0, LARGEST
    if not works(works_at):
        return None
    while works_at - too_small > 1:
        middle = (too_small + works_at) // 2
        too_small, works_at = (too_small, middle) if works(middle) else (middle, works_at)
    return works_at
