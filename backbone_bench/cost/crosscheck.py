"""Cross-check of FLOPs with fvcore, an independent counter; every difference has a cause and a size.

fvcore traces a real forward pass on the CPU. It counts a multiply-add once, as
we do. It also counts some operations that are neither convolutions nor matrix
products, and it does not know some that are. Its import warns on new torch and
may fail one day, and it cannot trace every model: then the result is a
`Missing` with the reason.
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
from backbone_bench.cost.counter import unwrapped
from backbone_bench.cost.swap import Survey, buffers_restored, real
from backbone_bench.records import CrossCheck, Difference, Known, Missing, ModelCost

# Operations with FLOPs in fvcore and none here, by definition (see `ModelCost.flops`), and the cause to report.
EXTRA_IN_FVCORE = {
    "batch_norm": "counts batch norm",
    "layer_norm": "counts layer norm",
    "group_norm": "counts group norm",
    "instance_norm": "counts instance norm",
    "adaptive_avg_pool2d": "counts adaptive pooling",
    "upsample_nearest2d": "counts upsampling",
    "upsample_bilinear2d": "counts upsampling",
    "grid_sampler": "counts grid sampling",
}

# Operations that fvcore reports as unsupported: the kind of arithmetic it therefore misses, and the cause.
MISSED_BY_FVCORE = {
    "aten::_convolution_mode": ("convolution", "misses convolutions with string padding"),
    "torchvision::deform_conv2d": ("convolution", "misses deformable convolutions"),
    "aten::scaled_dot_product_attention": ("attention", "misses fused attention"),
    "aten::lstm": ("recurrent", "misses the LSTM"),
    "aten::gru": ("recurrent", "misses the GRU"),
    "aten::rnn_tanh": ("recurrent", "misses the RNN"),
    "aten::rnn_relu": ("recurrent", "misses the RNN"),
    "aten::baddbmm": ("product", "misses batched products with an added term"),
    **dict.fromkeys(
        ("aten::mv", "aten::addmv", "aten::dot", "aten::vdot"), ("product", "misses matrix-vector and dot products")
    ),
    **dict.fromkeys(
        ("aten::inner", "aten::tensordot", "aten::linalg_multi_dot"),
        ("product", "misses inner, tensordot and multi_dot"),
    ),
}


def check(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], cost: ModelCost, twins: Mapping[str, str]
) -> Known[CrossCheck]:
    """Count `model(*args, **kwargs)`, a real model on the CPU, with fvcore, and compare with our `cost`.

    The model is restored afterwards. Missing, with the reason, if fvcore cannot count the model.
    """
    try:
        operators, unknown = _count(model, tuple(args), dict(kwargs))
    except Exception as error:  # fvcore uses private parts of torch and may raise anything: report it, do not fail
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Missing("fvcore_failed", f"fvcore cannot count this model: {reason}")
    flops = sum(operators.values())
    differences = (*_extra_in_fvcore(operators), *_missed_by_fvcore(operators, unknown, cost))
    residue = flops - cost.flops_of("forward") - sum(difference.flops for difference in differences)
    return CrossCheck(f"fvcore {version('fvcore')}", flops, differences, residue, twins)


def _extra_in_fvcore(operators: Mapping[str, int]) -> Iterator[Difference]:
    for cause in dict.fromkeys(EXTRA_IN_FVCORE[operator] for operator in operators if operator in EXTRA_IN_FVCORE):
        yield Difference(cause, sum(flops for name, flops in operators.items() if EXTRA_IN_FVCORE.get(name) == cause))


def _missed_by_fvcore(
    operators: Mapping[str, int], unknown: Mapping[str, int], cost: ModelCost
) -> Iterator[Difference]:
    """FLOPs that fvcore misses, for each kind of arithmetic in which it reported unsupported operations."""
    for kind in dict.fromkeys(kind for kind, _ in MISSED_BY_FVCORE.values()):
        causes = dict.fromkeys(
            cause for operator, (of_kind, cause) in MISSED_BY_FVCORE.items() if of_kind == kind and operator in unknown
        )
        missed = _our_flops(cost, kind) - sum(
            flops for name, flops in operators.items() if _kind_in_fvcore(name) == kind
        )
        if causes and missed > 0:
            yield Difference(" and ".join(causes), -missed)


def _our_flops(cost: ModelCost, kind: str) -> int:
    return cost.flops_of("forward", lambda row: _kind_of(row.op) == kind)


def _kind_of(op: str) -> str:
    if op.endswith("convolution"):
        return "convolution"
    if op in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        return "recurrent"
    return "attention" if op == "scaled_dot_product_attention" else "product"


def _kind_in_fvcore(operator: str) -> str | None:
    if operator in EXTRA_IN_FVCORE:
        return None
    return "convolution" if operator == "conv" else "product"


# fvcore's count.


def _count(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, int], Mapping[str, int]]:
    """fvcore's FLOPs by operation, and the operations that it does not support."""
    call = _Flattened(unwrapped(model), *map_tensors((args, kwargs), real))
    with _fvcore_silenced(), _restored(model), torch.no_grad():
        from fvcore.nn import FlopCountAnalysis  # its import warns on new torch

        analysis = FlopCountAnalysis(call, tuple(call.inputs))
        operators = {operator: round(flops) for operator, flops in analysis.by_operator().items()}
        return operators, analysis.unsupported_ops()


class _Flattened(nn.Module):
    """The model with flat inputs and outputs: the tracer takes positional tensors only, not nested or named ones."""

    def __init__(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.model, self.nested = model, (args, kwargs)
        self.inputs = list({id(tensor): tensor for tensor in tensors_of(self.nested)}.values())
        self.training = model.training

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        position = {id(tensor): index for index, tensor in enumerate(self.inputs)}
        args, kwargs = map_tensors(self.nested, lambda tensor: tensors[position[id(tensor)]])
        return tuple(tensors_of(self.model(*args, **kwargs)))


@contextmanager
def _restored(model: nn.Module) -> Iterator[None]:
    """Restore the model: a failed trace leaves hooks in modules, a successful one updates batch-norm statistics."""
    tables = [table for module in model.modules() for table in (module._forward_hooks, module._forward_pre_hooks)]
    before = [table.copy() for table in tables]
    try:
        with torch.random.fork_rng(devices=()), Survey(model).left_as_found(), buffers_restored(model):
            yield
    finally:
        for table, hooks in zip(tables, before, strict=True):
            table.clear()
            table.update(hooks)


@contextmanager
def _fvcore_silenced() -> Iterator[None]:
    """Silence fvcore's warnings and logs: they are about its own internals, not about the model.

    Attention's fast path is off meanwhile: fvcore would see it as one opaque call.
    """
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
