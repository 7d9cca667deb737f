"""A model's names and shapes as one short text: what the gate compares where every count is the same."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import nn


def shapes_sha256(modules: Iterable[tuple[str, nn.Module]]) -> str:
    """A digest of what the parameters and the buffers that are saved are called and how large, in whatever order.

    The tables are read, not the state dictionary: that takes as long as a third of the count.
    """
    lines = [
        f"{name}.{key}{_as_text(tensor.shape)}"
        for name, module in modules
        for table in (module._parameters, module._buffers)
        for key, tensor in table.items()
        if tensor is not None and key not in module._non_persistent_buffers_set
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


@lru_cache(4096)
def _as_text(shape: torch.Size) -> str:
    return str(tuple(shape))
