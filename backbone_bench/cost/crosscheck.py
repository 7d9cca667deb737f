"""fvcore as a second, independent counter, and every difference explained by its cause and its size.

fvcore traces a real forward pass on the CPU. It counts a multiply-add once, as
we do, and some operations that are neither convolutions nor matrix products;
some that are, it does not know. Its import warns on new torch and may fail one
day, and its tracer does not take every model: then the answer says why.
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from backbone_bench.nested import map_tensors
from backbone_bench.records import CrossCheck, Difference, Known, Missing, ModelCost, OpCost

# What it counts as arithmetic and we do not, by definition: see `ModelCost.flops`.
COUNTED_TOO = {
    "batch_norm": "counts batch norm",
    "layer_norm": "counts layer norm",
    "group_norm": "counts group norm",
    "instance_norm": "counts instance norm",
    "adaptive_avg_pool2d": "counts adaptive pooling",
    "upsample_nearest2d": "counts upsampling",
    "upsample_bilinear2d": "counts upsampling",
    "grid_sampler": "counts grid sampling",
}

# What the tracer can run into; it is another project's, and reaches into torch's private parts.
_FAILURES = (RuntimeError, TypeError, ValueError, AssertionError, AttributeError, KeyError, ImportError, IndexError)

Missed = Callable[[nn.Module, OpCost], bool]


def _same_padding(module: nn.Module, row: OpCost) -> bool:
    return row.op == "convolution" and getattr(module, "padding", None) == "same"


def _fused_attention(module: nn.Module, row: OpCost) -> bool:
    return row.op == "scaled_dot_product_attention"


def _recurrent(module: nn.Module, row: OpCost) -> bool:
    return isinstance(module, nn.RNNBase)


# What it says that it does not know, and which of our rows that is.
MISSED: Mapping[str, tuple[str, Missed]] = {
    "aten::_convolution_mode": ("misses convolutions with padding='same'", _same_padding),
    "aten::scaled_dot_product_attention": ("misses fused attention", _fused_attention),
    "aten::lstm": ("misses the LSTM", _recurrent),
    "aten::gru": ("misses the GRU", _recurrent),
}


def check(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], cost: ModelCost, twins: Mapping[str, str]
) -> Known[CrossCheck]:
    """Count `model(*args, **kwargs)`, a real model on the CPU, with fvcore, and compare with our `cost` of it.

    The model is left alone: a copy is traced. Missing where fvcore cannot count it, with its reason.
    """
    try:
        with _quiet():
            from fvcore.nn import FlopCountAnalysis  # its import warns on new torch

            analysis = FlopCountAnalysis(_Called(copy.deepcopy(model), kwargs), _real(tuple(args)))
            operators: Mapping[str, float] = analysis.by_operator()
            unknown: Mapping[str, int] = analysis.unsupported_ops()
    except _FAILURES as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Missing("fvcore_failed", f"fvcore cannot count this model: {reason}")
    differences = (*_counted_too(operators), *_missed(model, unknown, cost))
    flops = round(sum(operators.values()))
    residue = flops - cost.flops - sum(difference.flops for difference in differences)
    return CrossCheck(f"fvcore {version('fvcore')}", flops, differences, residue, twins)


class _Called(nn.Module):
    """The model with its keywords bound: fvcore passes positions only."""

    def __init__(self, model: nn.Module, kwargs: Mapping[str, Any]) -> None:
        super().__init__()
        self.model, self.named = model, _real(dict(kwargs))
        self.training = model.training

    def forward(self, *args: Any) -> Any:
        return self.model(*args, **self.named)


def _real(value: Any) -> Any:
    def fill(tensor: Tensor) -> Tensor:
        if not tensor.is_meta:
            return tensor
        if tensor.is_floating_point():
            return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)).to(tensor.dtype)
        return torch.zeros(tensor.shape, dtype=tensor.dtype)

    return map_tensors(value, fill)


@contextmanager
def _quiet() -> Iterator[None]:
    """Its warnings and logs are about its own means, not about the user's model."""
    import logging

    logger = logging.getLogger("fvcore.nn.jit_analysis")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _counted_too(operators: Mapping[str, float]) -> Iterator[Difference]:
    for operator, flops in operators.items():
        if operator in COUNTED_TOO:
            yield Difference(COUNTED_TOO[operator], round(flops))


def _missed(model: nn.Module, unknown: Mapping[str, int], cost: ModelCost) -> Iterator[Difference]:
    modules = dict(model.named_modules())
    for operator, (cause, belongs) in MISSED.items():
        if operator in unknown:
            rows = [row for row in cost.by_op if not isinstance(row.flops, Missing)]
            lost = sum(row.flops for row in rows if belongs(modules[row.module], row))  # type: ignore[misc]  # known above
            yield Difference(cause, -lost)
