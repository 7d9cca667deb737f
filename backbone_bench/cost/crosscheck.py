"""fvcore as a second, independent counter, and every difference explained by its cause and its size.

fvcore traces a real forward pass on the CPU. It counts a multiply-add once, as
we do, and some operations that are neither convolutions nor matrix products;
some that are, it does not know. Its import warns on new torch and may fail one
day, and its tracer does not take every model: then the answer says why.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from backbone_bench.base.pytree import map_tensors, tensors_of
from backbone_bench.cost.counter import as_written
from backbone_bench.cost.swap import Survey, real, values_kept
from backbone_bench.records import CrossCheck, Difference, Known, Missing, ModelCost

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

# What it says that it does not know, and the kind of arithmetic that it lacks for it.
MISSED = {
    "aten::_convolution_mode": ("convolution", "misses convolutions whose padding is a name"),
    "torchvision::deform_conv2d": ("convolution", "misses deformable convolutions"),
    "aten::scaled_dot_product_attention": ("attention", "misses fused attention"),
    "aten::lstm": ("recurrent", "misses the LSTM"),
    "aten::gru": ("recurrent", "misses the GRU"),
    "aten::rnn_tanh": ("recurrent", "misses the RNN"),
    "aten::rnn_relu": ("recurrent", "misses the RNN"),
    "aten::baddbmm": ("product", "misses batched products with a sum"),
    **dict.fromkeys(
        ("aten::mv", "aten::addmv", "aten::dot", "aten::vdot"), ("product", "misses products with a vector")
    ),
    **dict.fromkeys(
        ("aten::inner", "aten::tensordot", "aten::linalg_multi_dot"), ("product", "misses composed products")
    ),
}


def check(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], cost: ModelCost, twins: Mapping[str, str]
) -> Known[CrossCheck]:
    """Count `model(*args, **kwargs)`, a real model on the CPU, with fvcore, and compare with our `cost` of it.

    The model is left as it was found. Missing where fvcore cannot count it, with its reason.
    """
    try:
        operators, unknown = _count(model, tuple(args), dict(kwargs))
    except Exception as error:  # another project's, that reaches into torch's private parts: its failure is a note
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Missing("fvcore_failed", f"fvcore cannot count this model: {reason}")
    flops = sum(operators.values())
    differences = (*_counted_too(operators), *_missed(operators, unknown, cost))
    residue = flops - cost.flops - sum(difference.flops for difference in differences)
    return CrossCheck(f"fvcore {version('fvcore')}", flops, differences, residue, twins)


def _counted_too(operators: Mapping[str, int]) -> Iterator[Difference]:
    for cause in dict.fromkeys(COUNTED_TOO[operator] for operator in operators if operator in COUNTED_TOO):
        yield Difference(cause, sum(flops for name, flops in operators.items() if COUNTED_TOO.get(name) == cause))


def _missed(operators: Mapping[str, int], unknown: Mapping[str, int], cost: ModelCost) -> Iterator[Difference]:
    """What fvcore lacks in a kind of arithmetic of which it met operations that it does not know."""
    for kind in dict.fromkeys(kind for kind, _ in MISSED.values()):
        causes = dict.fromkeys(cause for operator, (of, cause) in MISSED.items() if of == kind and operator in unknown)
        lacking = _ours(cost, kind) - sum(flops for name, flops in operators.items() if _kind_of_theirs(name) == kind)
        if causes and lacking > 0:
            yield Difference(" and ".join(causes), -lacking)


def _ours(cost: ModelCost, kind: str) -> int:
    return sum(row.flops for row in cost.by_op if not isinstance(row.flops, Missing) and _kind_of_ours(row.op) == kind)


def _kind_of_ours(op: str) -> str:
    if op.endswith("convolution"):
        return "convolution"
    if op in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        return "recurrent"
    return "attention" if op == "scaled_dot_product_attention" else "product"


def _kind_of_theirs(operator: str) -> str | None:
    if operator in COUNTED_TOO:
        return None
    return "convolution" if operator == "conv" else "product"


# fvcore's side.


def _count(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, int], Mapping[str, int]]:
    """Its FLOPs by operation, and the operations that it does not know."""
    call = _InARow(as_written(model), *map_tensors((args, kwargs), real))
    with _quiet(), _left_as_found(model), torch.no_grad():
        from fvcore.nn import FlopCountAnalysis  # its import warns on new torch

        analysis = FlopCountAnalysis(call, tuple(call.given))
        operators = {operator: round(flops) for operator, flops in analysis.by_operator().items()}
        return operators, analysis.unsupported_ops()


class _InARow(nn.Module):
    """The call with its tensors in a row, in and out, as a trace wants them, however the model nests or names them."""

    def __init__(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.model, self.nested = model, (args, kwargs)
        self.given = list({id(tensor): tensor for tensor in tensors_of(self.nested)}.values())
        self.training = model.training

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        at = {id(tensor): place for place, tensor in enumerate(self.given)}
        args, kwargs = map_tensors(self.nested, lambda tensor: tensors[at[id(tensor)]])
        return tuple(tensors_of(self.model(*args, **kwargs)))


@contextmanager
def _left_as_found(model: nn.Module) -> Iterator[None]:
    """A trace that fails leaves hooks in every module, and one that succeeds updates batch-norm statistics."""
    tables = [table for module in model.modules() for table in (module._forward_hooks, module._forward_pre_hooks)]
    before = [table.copy() for table in tables]
    try:
        with Survey(model).left_as_found(), values_kept(model):
            yield
    finally:
        for table, hooks in zip(tables, before, strict=True):
            table.clear()
            table.update(hooks)


@contextmanager
def _quiet() -> Iterator[None]:
    """Its warnings and logs are about its own means; and of attention's fast path it would see one opaque call."""
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    level, fast_attention = logger.level, torch.backends.mha.get_fastpath_enabled()
    logger.setLevel(logging.ERROR)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
        torch.backends.mha.set_fastpath_enabled(fast_attention)
