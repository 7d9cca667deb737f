"""A model's names and shapes as one short text: what the gate compares where every count is the same."""

import hashlib

from torch import Tensor, nn


def shapes_sha256(model: nn.Module) -> str:
    """A digest of what the state dictionary is called and how large it is, whatever its order and values."""
    state = sorted((name, tuple(value.shape)) for name, value in model.state_dict().items() if isinstance(value, Tensor))
    return hashlib.sha256(repr(state).encode()).hexdigest()
