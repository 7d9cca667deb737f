"""What a model returned: whether it is finite, and whether two outputs are the same."""

import torch
from torch import Tensor

from backbone_bench.base.pytree import tensors_of

# Of the largest value: what another algorithm or order of summation may change over a deep network.
_ROUNDING = {torch.float64: 1e-6, torch.float16: 2e-2, torch.bfloat16: 1e-1}
_ROUNDING_FP32 = 5e-3  # TF32 included


def finite(output: object) -> bool:
    """Whether no number of any tensor is infinite or none at all (NaN)."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors_of(output))


def agree(one: object, other: object) -> bool:
    """Whether two outputs hold the same tensors up to rounding."""
    ours, theirs = list(tensors_of(one)), list(tensors_of(other))
    return len(ours) == len(theirs) and all(map(_close, ours, theirs))


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    reach = _ROUNDING.get(one.dtype, _ROUNDING_FP32) * _largest(one)
    return torch.allclose(one.double(), other.double(), rtol=0, atol=reach, equal_nan=True)


def _largest(values: Tensor) -> float:
    known = values[torch.isfinite(values)]
    return float(known.abs().max()) if known.numel() else 0.0
