"""A model's names and shapes as one short text: what the gate compares where every count is the same."""

import hashlib

from torch import Tensor, nn


def shapes_sha256(model: nn.Module) -> str:
    """A digest of what the state dictionary is called and how large it is, whatever its order and values."""
    state = model.state_dict(keep_vars=True)  # without a copy of each tensor's handle
    shapes = sorted((name, tuple(value.shape)) for name, value in state.items() if isinstance(value, Tensor))
    return hashlib.sha256(repr(shapes).encode()).hexdigest()
