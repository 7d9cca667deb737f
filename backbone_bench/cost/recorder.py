"""The recorder: whatever has no shape rule runs for real and is written down as torch dispatches it.

In inference mode torch hands over composite operations whole (`linear`,
`scaled_dot_product_attention`), so they are booked as the caller wrote them.
What is neither known here nor has a formula in `torch.utils.flop_counter` is
taken apart; what cannot be taken apart is booked as not counted.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from backbone_bench.cost.aten import BOOKINGS, GATHERS, MOVES, SILENT, SYNONYMS, WRITE_ONLY
from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.cost.ledger import Ledger
from backbone_bench.nested import tensors_of


class Recorder(TorchDispatchMode):
    """Books every operation that is dispatched while it is entered."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        op = canonical(func)
        booking = BOOKINGS.get(op)
        if booking is not None:
            out = func(*args, **kwargs)
            booking(self._ledger, out, *args, **kwargs)
            return out
        if not _moves_only(func, op) and not _formula(func):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        self._book(func, op, args, kwargs, out)
        return out

    def _book(self, func: Any, op: str, args: Any, kwargs: Any, out: Any) -> None:
        reads, writes = list(tensors_of((args, kwargs))), list(tensors_of(out))
        if not writes or op in SILENT or _aliases(func, reads, writes):
            for tensor in writes:
                self._ledger.hold(tensor)
            return
        if op in WRITE_ONLY:
            reads = reads[1:] if func._schema.is_mutable else []
        formula = _formula(func)
        cost: Arithmetic | None = NONE
        if formula:
            cost = Arithmetic(_halve(formula(*args, **kwargs, out_val=out), op))
        elif not _moves_only(func, op):
            cost = None
        read = [(writes[0].numel() if op in GATHERS and n == 0 else t.numel(), t) for n, t in enumerate(reads)]
        elems = sum(count for count, _ in read) + sum(t.numel() for t in writes)
        size = sum(count * t.element_size() for count, t in read) + sum(t.numel() * t.element_size() for t in writes)
        self._ledger.book_sizes(op, elems, size, writes, cost)


@cache
def canonical(func: Any) -> str:
    """One name for an operation, its in-place form and its aliases: the name that the caller knows."""
    name = func._schema.name.removeprefix("aten::")
    if name.endswith("_") and not name.startswith("_"):
        name = name[:-1]
    return SYNONYMS.get(name, name)


@cache
def _moves_only(func: Any, op: str) -> bool:
    return op in MOVES or torch.Tag.pointwise in func.tags or torch.Tag.reduction in func.tags or func.is_view


@cache
def _formula(func: Any) -> Callable[..., int] | None:
    """Torch's own formula; it counts two per multiply-add."""
    from torch.utils.flop_counter import flop_registry  # loads what only this path needs

    return flop_registry.get(func._overloadpacket)


def _halve(flops: int, op: str) -> int:
    half, odd = divmod(flops, 2)
    if odd:
        raise ArithmeticError(f"torch counts {flops} for {op}: not two per multiply-add")
    return half


def _aliases(func: Any, reads: Sequence[Tensor], writes: Sequence[Tensor]) -> bool:
    """Whether the operation was a view after all: `reshape` and `to` copy only where they must."""
    if not func.is_view:
        return False
    bases = {tensor.untyped_storage()._cdata for tensor in reads}
    return all(tensor.untyped_storage()._cdata in bases for tensor in writes)
