"""Checks of a model's output: finite values, and agreement of two outputs up to rounding."""

import torch
from torch import Tensor

from backbone_bench.base.pytree import tensors_of

# Relative to the largest value: the difference that another algorithm or summation order may cause in a deep network.
_ROUNDING = {torch.float64: 1e-6, torch.float16: 2e-2, torch.bfloat16: 1e-1}
_ROUNDING_FP32 = 5e-3  # TF32 included


def finite(output: object) -> bool:
    """Whether no tensor holds infinity or NaN."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors_of(output))


def agree(one: object, other: object) -> bool:
    """Whether two outputs hold equal tensors up to rounding."""
    first, second = list(tensors_of(one)), list(tensors_of(other))
    return len(first) == len(second) and all(map(_close, first, second))


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    tolerance = _ROUNDING.get(one.dtype, _ROUNDING_FP32) * _largest(one)
    return torch.allclose(one.double(), other.double(), rtol=0, atol=tolerance, equal_nan=True)


def _largest(values: Tensor) -> float:
    finite_values = values[torch.isfinite(values)]
    return float(finite_values.abs().max()) if finite_values.numel() else 0.0
