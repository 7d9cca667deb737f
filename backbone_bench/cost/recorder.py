"""The recorder: whatever has no shape rule runs for real and is written down as torch dispatches it.

In inference mode torch hands over composite operations whole (`linear`,
`scaled_dot_product_attention`), so they are booked as the caller wrote them.
What is neither known here nor has a formula in `torch.utils.flop_counter` is
taken apart; what cannot be taken apart is booked as not counted.
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
from backbone_bench.cost.aten import BOOKINGS, GATHERS, MOVES, SILENT, SYNONYMS, WRITE_ONLY
from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.cost.ledger import Ledger, storage_of

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


class Recorder(TorchDispatchMode):
    """Books every operation that is dispatched while it is entered."""

    supports_higher_order_operators = True

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        _load()
        self._ledger = ledger

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            return self._run_whole(func, args, kwargs)
        op = canonical(func)
        booking = BOOKINGS.get(op)
        if booking is not None:
            out = func(*args, **kwargs)
            booking(self._ledger, out, *args, **kwargs)
            return out
        if not _moves_only(func, op) and not _formula(func) and _is_composite(func):
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)
        out = func(*args, **kwargs)
        self._book(func, op, args, kwargs, out)
        return out

    def _run_whole(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operation on functions (`flex_attention`, `torch.cond`): what these do is not seen."""
        out = func(*args, **kwargs)
        formula = _formula(func)
        cost = Arithmetic(_halve(formula(*args, **kwargs, out_val=out), func.name())) if formula else None
        self._ledger.book(func.name(), list(tensors_of((args, kwargs))), list(tensors_of(out)), cost)
        return out

    def _book(self, func: Any, op: str, args: Any, kwargs: Any, out: Any) -> None:
        reads, writes = _traffic(func, args, kwargs, out)
        if op in SILENT or _is_view(func, reads, writes):
            for tensor in writes:
                self._ledger.hold(tensor)
            return
        if op in WRITE_ONLY:
            reads = reads[1:] if func._schema.is_mutable else []
        elif op in GATHERS:
            reads[0] = writes[0]  # of the same type
        if writes:
            self._ledger.book(op, reads, writes, _arithmetic(func, op, args, kwargs, out))


def _traffic(func: Any, args: Any, kwargs: Any, out: Any) -> tuple[list[Tensor], list[Tensor]]:
    """The tensors that are read and those that are written: what is returned, else what is changed in place."""
    arguments = func._schema.arguments
    given = {**dict(zip((argument.name for argument in arguments), args, strict=False)), **kwargs}
    written = [
        given[a.name] for a in arguments if a.name in given and a.alias_info is not None and a.alias_info.is_write
    ]
    read = [given[argument.name] for argument in arguments if argument.name in given and not argument.is_out]
    return list(tensors_of(read)), list(tensors_of(out)) or list(tensors_of(written))


def _arithmetic(func: Any, op: str, args: Any, kwargs: Any, out: Any) -> Arithmetic | None:
    formula = _formula(func)
    if formula is not None:
        return Arithmetic(_halve(formula(*args, **kwargs, out_val=out), op))
    return NONE if _moves_only(func, op) else None


@cache
def _load() -> None:
    """Let torch load the 800 modules that its first operation under a mode needs, and forget what that left behind.

    Errors that are raised and caught meanwhile stay in cycles, and with them
    the frames above and the tensors in these: they would count as alive.
    """
    with _Through():
        torch.ones(2, device="meta").softmax(0)
    _formula(torch.ops.aten.softmax.int)
    gc.collect()


class _Through(TorchDispatchMode):
    """It looks on."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


@cache
def canonical(func: Any) -> str:
    """One name for an operation, its in-place form and its aliases: the name that the caller knows."""
    name = func._schema.name.removeprefix("aten::")
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    return SYNONYMS.get(name, name)


@cache
def _is_composite(func: Any) -> bool:
    """Whether torch's own kernel is nothing but calls of other operations.

    `func.decompose` would prefer a stand-in of the compiler's where there is
    one, and that of dropout copies where the kernel returns its input.
    """
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), _COMPOSITE)


@cache
def _moves_only(func: Any, op: str) -> bool:
    """Whether it is known to hold no convolution or matrix product: by torch's tags of any of its forms, or by name."""
    forms = getattr(torch.ops.aten, op, func._overloadpacket)
    return (
        op in MOVES
        or func.is_view
        or any({torch.Tag.pointwise, torch.Tag.reduction} & {*getattr(forms, form).tags} for form in forms.overloads())
    )


@cache
def _formula(func: Any) -> Callable[..., int] | None:
    """Torch's own formula; it counts two per multiply-add."""
    from torch.utils.flop_counter import flop_registry  # loads what only this path needs

    return flop_registry.get(getattr(func, "_overloadpacket", func))


def _halve(flops: int, op: str) -> int:
    half, odd = divmod(flops, 2)
    if odd:
        raise ArithmeticError(f"torch counts {flops} for {op}: not two per multiply-add")
    return half


def _is_view(func: Any, reads: Sequence[Tensor], writes: Sequence[Tensor]) -> bool:
    """Whether nothing was moved: `reshape` and `to` copy only where they must, dropout works in training only."""
    if func._schema.is_mutable:
        return torch.Tag.inplace_view in func.tags
    bases = {storage_of(tensor) for tensor in reads}
    return all(storage_of(tensor) in bases for tensor in writes)
