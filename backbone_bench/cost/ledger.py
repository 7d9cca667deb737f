"""The ledger: the cost of every operation of one pass, by module, and the peak of activations.

Both counting layers, the shape rules and the recorder, write to it, so that an
operation is booked in the same way by either. Activations are tracked by their
storage: an in-place operation makes no new one, a view keeps its base alive.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import get_ident
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn

from backbone_bench.base import forwards
from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.cost.storage import Some, parts, sizes, storages
from backbone_bench.records import Missing, OpCost, TrainingPhase
from backbone_bench.records.cost import counted_row
from backbone_bench.records.missing import Known

_NO_STORAGE = Missing("no_storage", "torch does not show what some activations store (mkldnn)")

# Indices into a row of the ledger.
CALLS, FLOPS, ACCESS, CIO, TRAFFIC, BYTES, OUT, DEPTH = range(8)
_Key = tuple[str, str, TrainingPhase, int]  # module, operation, phase, and groups: 0 if it is not a convolution


Booked = tuple[str, int, int, Arithmetic | None]  # operation, elements and bytes of its traffic, cost


class Note(NamedTuple):
    """What one call of a torch function booked, and by how much its live activations rose above those before it."""

    rows: tuple[Booked, ...]
    rise_bytes: int


class Ledger:
    """Rows of costs by module and operation, in the order of first use."""

    def __init__(self, parameters: list[Tensor], state: Callable[[], list[Tensor]], images: int) -> None:
        """`state` returns the tensors, besides parameters, that the model keeps from one pass to the next."""
        self.images = images
        self.parameters = parameters
        self._get_state = state
        self.phase: TrainingPhase = "forward"
        self._modules = [""]
        self._rows: dict[_Key, list[int]] = {}
        self._unknown: set[_Key] = set()
        self._alive: dict[int, Any] = {}
        self._alive_bytes = 0
        self.peak_bytes = 0
        self._peak_is_known = True
        self._note: list[Booked] | None = None

    # Sets of storages, not of tensors: a view of a weight counts as that weight.

    @cached_property
    def _weight_storages(self) -> set[int]:
        return {key for parameter in self.parameters for key in storages(parameter)[:1]}

    @cached_property
    def _model_storages(self) -> set[int]:
        return {key for tensor in (*self.parameters, *self._get_state()) for key in storages(tensor)}

    # The running module.

    @contextmanager
    def attributing_to(self, modules: Sequence[tuple[str, nn.Module]]) -> Iterator[None]:
        """Attribute operations to the running module: every module's `forward` is wrapped meanwhile."""
        with forwards.wrapped(modules, self._attributed):
            yield

    def _attributed(self, name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        running, thread = self._modules, get_ident()

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if get_ident() != thread:  # torch's modes see one thread only
                raise RuntimeError(f"{name or 'the model'} runs in another thread, where it cannot be counted")
            running.append(name)
            try:
                return forward(*args, **kwargs)
            finally:
                running.pop()

        return wrapped

    @property
    def _module(self) -> str:
        return self._modules[-1]

    # Costs.

    def book(
        self,
        op: str,
        reads: Sequence[Tensor | Some],
        writes: Sequence[Tensor | Some],
        cost: Arithmetic | None = NONE,
    ) -> None:
        """Book one operation by the tensors it reads and writes; None as `cost` means that its FLOPs are unknown."""
        self._add(op, *sizes((*reads, *writes)), cost)
        for tensor in writes:
            if not isinstance(tensor, Some):  # some elements of a tensor that is there already
                self.track(tensor)

    def book_in_place(self, op: str, elems: int, out: Tensor, cost: Arithmetic = NONE) -> None:
        """Book an in-place operation that reads and writes `elems` elements of the type of `out`; `out` is not new."""
        self._add(op, elems, elems * out.element_size(), cost)

    def book_new(self, op: str, elems: int, out: Tensor, cost: Arithmetic = NONE) -> None:
        """Book an operation that reads and writes `elems` elements of the type of `out` and makes `out`."""
        self._add(op, elems, elems * out.element_size(), cost)
        self.track_new(out)

    def _add(self, op: str, elems: int, size: int, cost: Arithmetic | None) -> None:
        if self._note is not None:
            self._note.append((op, elems, size, cost))
        key = self._module, op, self.phase, 0 if cost is None else cost.groups
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = [0] * 8
        row[CALLS] += 1
        row[TRAFFIC] += elems
        row[BYTES] += size
        if cost is None:
            self._unknown.add(key)
        elif cost is not NONE:
            row[FLOPS] += cost.flops
            row[ACCESS] += cost.access_elems
            row[CIO] += cost.cio_elems
            row[OUT] += cost.out_elems
            row[DEPTH] += cost.reduction_depth

    def is_weight(self, tensor: Tensor) -> bool:
        """Whether the tensor is a parameter of the model, or a view of one."""
        return not self._weight_storages.isdisjoint(storages(tensor)[:1])

    # Live activations.

    def track(self, tensor: Tensor) -> None:
        """Count the tensor's storage as live until it is freed; the model's own tensors are no activations."""
        self._track(tensor, self._model_storages)

    def track_input(self, tensor: Tensor) -> None:
        """Count an input of the model as live, also if the model has it too."""
        self._track(tensor, frozenset())

    def _track(self, tensor: Tensor, left_out: Container[int]) -> None:
        """Count what a tensor of any layout stores, except these storages."""
        for part in parts(tensor):
            key = storage_of(part)
            if key is None:
                self._peak_is_known = False
            elif key not in left_out:
                self.track_new(part)

    @property
    def peak_activation_bytes(self) -> Known[int]:
        """The peak of activations, if torch showed the storage of all of them."""
        return self.peak_bytes if self._peak_is_known else _NO_STORAGE

    def leave_out(self, tensors: Iterable[Tensor]) -> None:
        """Regard these tensors as the model's own: they are no activations."""
        self._model_storages.update(key for tensor in tensors for key in storages(tensor))

    def track_new(self, tensor: Tensor) -> None:
        """Count the storage of a tensor that is known not to be the model's own."""
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

    # The same once more.

    def noted(self, run: Callable[[], Any]) -> tuple[Any, Note]:
        """Result of `run`, and what it booked; `repeat` books that again."""
        before, earlier = self._alive_bytes, self.peak_bytes
        self._note, self.peak_bytes = [], before
        try:
            out = run()
            return out, Note(tuple(self._note), self.peak_bytes - before)
        finally:
            self._note, self.peak_bytes = None, max(earlier, self.peak_bytes)

    def repeat(self, note: Note, made: Sequence[Tensor]) -> None:
        """Book what was noted for the same operation on tensors of the same shapes; it made these tensors."""
        for booked in note.rows:
            self._add(*booked)
        self.peak_bytes = max(self.peak_bytes, self._alive_bytes + note.rise_bytes)
        for tensor in made:
            self.track_new(tensor)

    def rows(self) -> tuple[OpCost, ...]:
        """The rows as a record keeps them."""
        rows = []
        for key, row in self._rows.items():
            module, op, phase, groups = key
            flops = _no_formula(op) if key in self._unknown else row[FLOPS]
            shape = (groups, *row[OUT:]) if groups else (None, None, None)
            calls, _, access, cio, traffic, size, *_ = row
            make = counted_row if max(row) < 1 << 63 else OpCost  # which refuses what no record can hold
            rows.append(make(module, op, calls, flops, access, cio, traffic, size, phase, *shape))
        return tuple(rows)


def storage_of(tensor: Tensor | None) -> int | None:
    """Identity of the tensor's storage while it is alive; None if torch shows none (a mkldnn tensor)."""
    return tensor.untyped_storage()._cdata if tensor is not None and torch._C._has_storage(tensor) else None


def _no_formula(op: str) -> Missing:
    return Missing("no_formula", f"no formula is known for the arithmetic of {op}")
