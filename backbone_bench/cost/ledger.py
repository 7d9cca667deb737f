"""The ledger: what every operation of one pass costs, and which module asked for it.

Both counting layers write here, the shape rules and the recorder, so that an
operation is booked in one way wherever it was seen. Activations are followed
by their storage: an in-place operation makes none, a view keeps its base alive.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import ref

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from backbone_bench.cost import formulas
from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.records import Missing, OpCost

# Places in a row of the ledger.
CALLS, FLOPS, ACCESS, CIO, TRAFFIC, BYTES = range(6)


class Ledger:
    """Rows by module and operation, in the order in which they first ran."""

    def __init__(self, model: nn.Module, images: int) -> None:
        self.images = images
        self._names = {id(module): name for name, module in model.named_modules()}
        # Storages, not tensors: a view of a weight is that weight.
        self._weights = {_storage(weight) for weight in model.parameters()}
        self._state = self._weights | {_storage(buffer) for buffer in model.buffers()}
        self._modules = [""]
        self._rows: dict[tuple[str, str], list[int]] = {}
        self._unknown: set[tuple[str, str]] = set()
        self._alive: dict[int, Any] = {}
        self._alive_bytes = 0
        self.peak_bytes = 0

    # Which module is running.

    def follow_modules(self) -> list[RemovableHandle]:
        """Hooks for the whole process, not for the model: it stays as it is. The caller removes them."""
        return [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]

    def _enter(self, module: nn.Module, _inputs: object) -> None:
        self._modules.append(self._names.get(id(module)) or self._modules[-1])

    def _leave(self, _module: nn.Module, _inputs: object, _outputs: object) -> None:
        self._modules.pop()

    # What it costs.

    def book(self, op: str, reads: Iterable[Tensor], out: Tensor, cost: Arithmetic | None = NONE) -> None:
        """Write down one operation that read `reads` and wrote `out`; a `cost` of None is not known."""
        elems = out.numel()
        size = elems * out.element_size()
        for tensor in reads:
            count = tensor.numel()
            elems += count
            size += count * tensor.element_size()
        self._add(op, elems, size, cost)
        self.hold(out)

    def book_sizes(self, op: str, elems: int, size: int, outputs: Iterable[Tensor], cost: Arithmetic | None) -> None:
        """The same where what is read and written is not simply its arguments and its output."""
        self._add(op, elems, size, cost)
        for out in outputs:
            self.hold(out)

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

    def book_product(self, op: str, left: Tensor, right: Tensor, reads: Iterable[Tensor], out: Tensor) -> None:
        """A matrix product: a layer where one side is a parameter, else only arithmetic."""
        on_left, on_right = self._is_weight(left), self._is_weight(right)
        if on_left == on_right:
            cost = formulas.product(left.shape, out.shape)
        else:
            cost = formulas.layer_product(left.shape, right.shape, out.shape, self.images, weight_on_left=on_left)
        self.book(op, reads, out, cost)

    def book_batch_norm(self, x: Tensor, state: Sequence[Tensor | None], out: Tensor, *, training: bool) -> None:
        """`state` is running mean, running variance, weight and bias; training writes the first two as well."""
        held = [tensor for tensor in state if tensor is not None]
        updated = [tensor for tensor in state[:2] if tensor is not None and training]
        self.book("batch_norm", (x, *held, *updated), out)

    def _is_weight(self, tensor: Tensor) -> bool:
        return _storage(tensor) in self._weights

    # What is alive.

    def hold(self, tensor: Tensor) -> None:
        """Count the tensor's storage as alive until it is freed."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._alive or key in self._state:
            return
        size = storage.nbytes()
        self._alive[key] = ref(storage, lambda _: self._drop(key, size))
        self._alive_bytes += size
        self.peak_bytes = max(self.peak_bytes, self._alive_bytes)

    def _drop(self, key: int, size: int) -> None:
        del self._alive[key]
        self._alive_bytes -= size

    def rows(self) -> tuple[OpCost, ...]:
        """The ledger as part of a record."""
        return tuple(
            OpCost(
                module=module,
                op=op,
                calls=row[CALLS],
                flops=_no_formula(op) if (module, op) in self._unknown else row[FLOPS],
                access_elems=row[ACCESS],
                cio_elems=row[CIO],
                traffic_elems=row[TRAFFIC],
                traffic_bytes=row[BYTES],
            )
            for (module, op), row in self._rows.items()
        )


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _no_formula(op: str) -> Missing:
    return Missing("no_formula", f"no formula is known for the arithmetic of {op}")
