"""Count what a training step does after its forward pass: the backward pass and the optimizer.

Autograd decides what is computed: no gradient of the input, none of frozen
parameters, and checkpointed blocks a second time. Memory access, CIO and
reduction depth are of the forward pass only.
"""

from bisect import bisect_right
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from backbone_bench.base.choices import Optimizer
from backbone_bench.base.pytree import tensors_of
from backbone_bench.base.training import OPTIMIZERS, differentiable
from backbone_bench.cost.calls import OpCall
from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder


class TrainingStep(NamedTuple):
    """What is counted besides the forward pass: the backward pass, and the optimizer if there is one."""

    optimizer: Optimizer | None = None


class TrainingLedger(Ledger):
    """A ledger of a training step: it books what follows the forward pass, and tracks live tensors in all of it.

    The backward pass has no running module: an operation belongs to the module
    that made the autograd node which runs it. Torch numbers the nodes of a
    thread in the order in which they are made.
    """

    def __init__(self, parameters: list[Tensor], state: Callable[[], list[Tensor]], images: int) -> None:
        super().__init__(parameters, state, images)
        self._first_nodes = [0]  # number of the first node that the module of the same index made
        self._made_by = [""]
        self._latest = ""

    def _attributed(self, name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        attributed = super()._attributed(name, forward)

        def noting(*args: Any, **kwargs: Any) -> Any:
            self._nodes_are_of(name)
            try:
                return attributed(*args, **kwargs)
            finally:
                self._nodes_are_of(self._modules[-1])

        return noting

    def _nodes_are_of(self, module: str) -> None:
        self._first_nodes.append(torch._C._autograd._get_sequence_nr())
        self._made_by.append(module)

    @property
    def _module(self) -> str:
        """The running module: in a block that is run again, the innermost one, as in a forward pass."""
        if self.phase == "optimizer":
            return ""
        if len(self._modules) > 1:
            return self._modules[-1]
        node = torch._C._current_autograd_node()
        if node is not None and node.next_functions:  # one that sums the gradients of a parameter has no number
            self._latest = self._made_by[bisect_right(self._first_nodes, node._sequence_nr()) - 1]
        return self._latest

    def _add(self, op: str, elems: int, size: int, cost: Arithmetic | None) -> None:
        if self.phase == "forward":
            return
        if cost is not None and cost is not NONE:
            cost = cost._replace(access_elems=0, cio_elems=0, reduction_depth=0)
        super()._add(op, elems, size, cost)


def run(
    forward: Callable[[], object], step: TrainingStep, ledger: TrainingLedger, recorder: AbstractContextManager[Any]
) -> None:
    """Run and book one training step. Raises UserError if there is nothing to differentiate."""
    with torch.enable_grad(), recorder:
        output = forward()
        outputs = differentiable(output)
        gradients = [torch.zeros_like(tensor) for tensor in outputs]
        ledger.phase = "backward"
        torch.autograd.backward(outputs, gradients)
    if step.optimizer is not None:
        ledger.phase = "optimizer"
        _optimize(step.optimizer, ledger)


def _optimize(name: Optimizer, ledger: TrainingLedger) -> None:
    """Book one step of an optimizer, on meta tensors in place of the parameters; not the first: it makes the state."""
    stand_ins, gradients = [], []
    for parameter in ledger.parameters:
        if parameter.grad is not None:
            stand_ins.append(nn.Parameter(torch.empty_like(parameter, device="meta")))
            gradients.append(torch.empty_like(parameter.grad, device="meta"))
            stand_ins[-1].grad = gradients[-1]
    optimizer = OPTIMIZERS[name](stand_ins)
    optimizer.step()
    ledger.leave_out([*stand_ins, *gradients, *tensors_of(list(optimizer.state.values()))])
    with _OnDevice(ledger):
        optimizer.step()


class _OnDevice(Recorder):
    """A recorder of meta tensors only: an optimizer counts its steps on the host."""

    def _book(self, call: OpCall, cost: Arithmetic | None) -> None:
        if any(tensor.is_meta for tensor in tensors_of((call.args, call.kwargs, call.out))):
            super()._book(call, cost)
