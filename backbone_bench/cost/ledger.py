"""The ledger: what every operation of one pass costs, and which module asked for it.

Both counting layers write here, the shape rules and the recorder, so that an
operation is booked in one way wherever it was seen. Activations are followed
by their storage: an in-place operation makes none, a view keeps its base alive.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import get_ident
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.jit import ScriptModule

from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.records import Missing, OpCost

# Places in a row of the ledger.
CALLS, FLOPS, ACCESS, CIO, TRAFFIC, BYTES = range(6)


class Ledger:
    """Rows by module and operation, in the order in which they first ran."""

    def __init__(self, parameters: list[Tensor], held: Callable[[], list[Tensor]], images: int) -> None:
        """`held` tells what the model holds, besides its parameters, from one pass to the next."""
        self.images = images
        self._parameters = parameters
        self._held = held
        self._modules = [""]
        self._rows: dict[tuple[str, str], list[int]] = {}
        self._unknown: set[tuple[str, str]] = set()
        self._alive: dict[int, Any] = {}
        self._alive_bytes = 0
        self.peak_bytes = 0

    # Storages, not tensors: a view of a weight is that weight.

    @cached_property
    def _weights(self) -> set[int | None]:
        return set(map(storage_of, self._parameters))

    @cached_property
    def _state(self) -> set[int | None]:
        return self._weights | set(map(storage_of, self._held()))

    # Which module is running.

    @contextmanager
    def following(self, modules: Sequence[tuple[str, nn.Module]]) -> Iterator[None]:
        """Let every module say when its forward runs: `forward` is wrapped among its attributes for the while.

        Hooks for the whole process would be slower, would see what other
        threads run, and would miss a `forward` that is called directly.
        """
        found = [(vars(module), name, module) for name, module in modules if not isinstance(module, ScriptModule)]
        own = [attributes.get("forward") for attributes, _, _ in found]
        for attributes, name, module in found:
            attributes["forward"] = self._within(name, module.forward)
        try:
            yield
        finally:
            for (attributes, _, _), forward in zip(found, own, strict=True):
                if forward is None:
                    del attributes["forward"]
                else:
                    attributes["forward"] = forward

    def _within(self, name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        running, thread = self._modules, get_ident()

        def followed(*args: Any, **kwargs: Any) -> Any:
            if get_ident() != thread:  # torch's modes are those of one thread
                raise RuntimeError(f"{name or 'the model'} runs in a thread of its own, where it cannot be counted")
            running.append(name)
            try:
                return forward(*args, **kwargs)
            finally:
                running.pop()

        return followed

    # What it costs.

    def book(self, op: str, reads: Sequence[Tensor], writes: Sequence[Tensor], cost: Arithmetic | None = NONE) -> None:
        """Write down one operation; a `cost` of None is not known."""
        moved = [*reads, *writes]
        self._add(
            op,
            sum(tensor.numel() for tensor in moved),
            sum(tensor.numel() * tensor.element_size() for tensor in moved),
            cost,
        )
        for tensor in writes:
            self.hold(tensor)

    def book_alike(self, op: str, elems: int, out: Tensor, cost: Arithmetic = NONE) -> None:
        """The same where `elems` of the type of `out` are read and written, and `out` is one that is held already."""
        self._add(op, elems, elems * out.element_size(), cost)

    def book_new(self, op: str, elems: int, out: Tensor, cost: Arithmetic = NONE) -> None:
        """The same where `out` is new."""
        self._add(op, elems, elems * out.element_size(), cost)
        self.hold_new(out)

    def _add(self, op: str, elems: int, size: int, cost: Arithmetic | None) -> None:
        key = self._modules[-1], op
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = [0] * 6
        row[CALLS] += 1
        row[TRAFFIC] += elems
        row[BYTES] += size
        if cost is None:
            self._unknown.add(key)
        elif cost is not NONE:
            row[FLOPS] += cost.flops
            row[ACCESS] += cost.access_elems
            row[CIO] += cost.cio_elems

    def is_weight(self, tensor: Tensor) -> bool:
        """Whether it is a parameter of the model, or a view of one."""
        return storage_of(tensor) in self._weights

    # What is alive.

    def hold(self, tensor: Tensor) -> None:
        """Count the storage as alive until it is freed; what the model itself holds is no activation."""
        key = storage_of(tensor)
        if key is not None and key not in self._state:
            self.hold_new(tensor)

    def hold_new(self, tensor: Tensor) -> None:
        """The same for a tensor that is not the model's."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return
        self._alive[key] = ref(storage, lambda _: self._drop(key, size))
        self._alive_bytes += size
        self.peak_bytes = max(self.peak_bytes, self._alive_bytes)

    def _drop(self, key: int, size: int) -> None:
        del self._alive[key]
        self._alive_bytes -= size

    def rows(self) -> tuple[OpCost, ...]:
        """The ledger as part of a record."""
        rows = []
        for (module, op), row in self._rows.items():
            flops = _no_formula(op) if (module, op) in self._unknown else row[FLOPS]
            # By position, which takes a third of the time: the places of a row are in the order of the fields.
            rows.append(OpCost(module, op, row[CALLS], flops, *row[ACCESS:]))
        return tuple(rows)


def storage_of(tensor: Tensor | None) -> int | None:
    """What tells a storage from others while it lives; None where the tensor has none (a sparse one, say)."""
    return tensor.untyped_storage()._cdata if tensor is not None and torch._C._has_storage(tensor) else None


def _no_formula(op: str) -> Missing:
    return Missing("no_formula", f"no formula is known for the arithmetic of {op}")
