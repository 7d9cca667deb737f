"""The recorder: runs operations without a shape rule and books them as torch dispatches them.

In inference mode torch dispatches composite operations as one (`linear`,
`scaled_dot_product_attention`), so they are booked as the caller wrote them.
An operation that is neither in `cost.aten` nor in `torch.utils.flop_counter` is
decomposed; if it cannot be decomposed, it is booked as not counted.
"""

import gc
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from backbone_bench.base.pytree import tensors_of
from backbone_bench.base.torch_versions import call_what_loads, counts_no_flops
from backbone_bench.cost import formulas, gathers, products, sparse
from backbone_bench.cost.aten import (
    ANY_LAYOUT,
    BACKWARD_MOVES,
    BOOKINGS,
    HIGHER_ORDER,
    MOVES,
    NO_KERNEL,
    SYNONYMS,
    WRITE_ONLY,
)
from backbone_bench.cost.calls import OpCall
from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.storage import is_dense, is_wrapper, storages

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


class Recorder(TorchDispatchMode):
    """Dispatch mode that books every operation in the ledger."""

    supports_higher_order_operators = True

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        _load()
        self._ledger = ledger

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(map(is_wrapper, types)):
            return NotImplemented  # a tensor that holds others runs its own operations on them, which come here
        if isinstance(func, HigherOrderOperator):
            return self._run_higher_order(func, args, kwargs)
        op = canonical(func)
        if not _all_dense(args) and op not in ANY_LAYOUT:
            return self._run_not_dense(func, op, args, kwargs)
        booking = BOOKINGS.get(op)
        if booking is not None:
            out = func(*args, **kwargs)
            booking(self._ledger, out, *args, **kwargs)
            return out
        if not _moves_only(func, op) and op not in products.COSTS and not _formula(func) and _is_composite(func):
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)
        call = OpCall(func, op, args, kwargs, func(*args, **kwargs))
        self._book(call, _arithmetic(self._ledger, call))
        return call.out

    def _run_not_dense(self, func: Any, op: str, args: Any, kwargs: Any) -> Any:
        """Run an operation on sparse or nested tensors; only products and attention have FLOPs that are known."""
        known = op in sparse.KNOWN or _moves_only(func, op)
        if not known and _is_composite(func) and not any(tensor.is_nested for tensor in tensors_of(args)):
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)
        call = OpCall(func, op, args, kwargs, func(*args, **kwargs))
        self._book(call, NONE if _moves_only(func, op) else sparse.arithmetic(self._ledger, call))
        return call.out

    def _run_higher_order(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Book a higher-order operation (`flex_attention`, `torch.cond`) as one: operations inside it are not seen."""
        out = func(*args, **kwargs)
        own, formula = HIGHER_ORDER.get(func.name()), _formula(func)
        if own is not None:
            cost: Arithmetic | None = own(out, *args)
        else:
            cost = Arithmetic(_halve(formula(*args, **kwargs, out_val=out), func.name())) if formula else None
        self._ledger.book(func.name(), list(tensors_of((args, kwargs))), list(tensors_of(out)), cost)
        return out

    def _book(self, call: OpCall, cost: Arithmetic | None) -> None:
        func, op = call.func, call.op
        reads, writes = _traffic(func, call.args, call.kwargs, call.out)
        if op in NO_KERNEL or _is_view(func, reads, writes):
            for tensor in writes:
                self._ledger.track(tensor)
        elif op in WRITE_ONLY:
            self._ledger.book(op, reads[1:] if func._schema.is_mutable else [], writes, cost)
        elif writes:
            self._ledger.book(products.NAMES.get(op, op), *gathers.touched(call, reads, writes), cost)


def _traffic(func: Any, args: Any, kwargs: Any, out: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Tensors that an operation reads, and those it writes: its results, or else its arguments changed in place."""
    arguments = func._schema.arguments
    by_name = {**dict(zip((argument.name for argument in arguments), args, strict=False)), **kwargs}
    written = [
        by_name[a.name] for a in arguments if a.name in by_name and a.alias_info is not None and a.alias_info.is_write
    ]
    read = [by_name[argument.name] for argument in arguments if argument.name in by_name and not argument.is_out]
    read += [packed.unpack() for packed in read if isinstance(packed, torch.ScriptObject)]  # type: ignore[attr-defined]  # a quantized layer's weight and bias
    return list(tensors_of(read)), list(tensors_of(out)) or list(tensors_of(written))


def _arithmetic(ledger: Ledger, call: OpCall) -> Arithmetic | None:
    own, formula = products.COSTS.get(call.op), _formula(call.func)
    if own is not None:
        cost = own(ledger, call.args, call.out)
    elif formula is not None:
        cost = Arithmetic(_halve(formula(*call.args, **call.kwargs, out_val=call.out), call.op))
    else:
        return NONE if _moves_only(call.func, call.op) else None
    left, right = [*tensors_of((*call.args, call.out, call.out))][:2]
    return formulas.on_numbers(cost, left, right)


@cache
def _load() -> None:
    """Make torch load the 800 modules that its first dispatch under a mode needs, then collect garbage.

    Loading raises and catches errors, which stay in reference cycles together
    with the calling frames and their tensors: these would count as live
    activations.
    """
    with _PassThrough():
        call_what_loads()
    _formula(torch.ops.aten.softmax.int)
    gc.collect()


class _PassThrough(TorchDispatchMode):
    """Dispatch mode that records nothing: it only makes torch load its dispatch machinery."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


@cache
def canonical(func: Any) -> str:
    """Canonical name of an operation, the same for its in-place form and its aliases: the name that callers write."""
    name = func._schema.name.removeprefix("aten::")
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    name = name.replace(f"_{_OF_MANY_TENSORS}", _OF_MANY_TENSORS)
    forward, backward, _ = name.partition(_BACKWARD)
    return SYNONYMS.get(forward, forward) + backward if backward else SYNONYMS.get(name, name)


@cache
def _is_composite(func: Any) -> bool:
    """Whether torch's own kernel only calls other operations (CompositeImplicitAutograd).

    `func.decompose` is not used: it prefers the compiler's decompositions, and
    the one of dropout copies its input where the kernel returns it.
    """
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), _COMPOSITE)


@cache
def _moves_only(func: Any, op: str) -> bool:
    """Whether the operation has 0 FLOPs: by its name, as a view, or because it is pointwise or a reduction."""
    packet = getattr(torch.ops.aten, op, func._overloadpacket)
    if op in MOVES or op in BACKWARD_MOVES or func.is_view or counts_no_flops(op, packet):
        return True
    return op.startswith(_OF_MANY_TENSORS) or (op.endswith(_BACKWARD) and _has_no_flops(op.removesuffix(_BACKWARD)))


_BACKWARD = "_backward"
_OF_MANY_TENSORS = "foreach_"  # pointwise operations and reductions, which optimizers use


def _has_no_flops(forward: str) -> bool:
    """Whether an operation has no FLOPs, by its name alone: then its backward pass has none either."""
    if MOVES & {forward, f"{forward}_forward"}:
        return True
    packet = getattr(torch.ops.aten, forward, None)
    if packet is None:
        return False
    return counts_no_flops(forward, packet) or any(getattr(packet, name).is_view for name in packet.overloads())


@cache
def _formula(func: Any) -> Callable[..., int] | None:
    """Torch's own FLOP formula, which counts two per multiply-add; None if it has none."""
    from torch.utils.flop_counter import flop_registry  # slow import, needed on this path only

    return flop_registry.get(getattr(func, "_overloadpacket", func))


def _halve(flops: int, op: str) -> int:
    half, remainder = divmod(flops, 2)
    if remainder:
        raise ArithmeticError(f"torch counts {flops} FLOPs for {op}, an odd number: not two per multiply-add")
    return half


def _is_view(func: Any, reads: Sequence[Tensor], writes: Sequence[Tensor]) -> bool:
    """Whether an operation moved no data: its result shares memory with an input.

    `reshape` and `to` copy only if they must, dropout only in training.
    """
    if func._schema.is_mutable:
        return torch.Tag.inplace_view in func.tags
    bases = {key for tensor in reads for key in storages(tensor)}
    own = [storages(tensor) for tensor in writes]
    return all(keys and bases.issuperset(keys) for keys in own)


def _all_dense(args: Sequence[Any]) -> bool:
    """Whether no argument is a sparse or nested tensor; `tensors_of` would take ten times as long."""
    for argument in args:
        if isinstance(argument, Tensor):
            if not is_dense(argument):
                return False
        elif type(argument) in (list, tuple) and not _all_dense(argument):
            return False
    return True
