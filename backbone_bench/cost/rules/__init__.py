"""Shape rules: compute the results of a network's operations from shapes, without running a kernel.

A rule returns the result of an operation on the meta device and books the
operation. Torch's own meta kernel does the same fifteen times slower, and the
first one makes torch load 800 more modules. A rule returns None for unusual
input (mixed types, a memory order whose result torch's versions disagree about,
a result without elements, an argument it does not know): then torch's kernel
runs under the recorder and gives the result or torch's own error, once for each
signature (`remembered`). A rule has the parameters of torch's function.
"""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.rules import elementwise, layers, pools, products, remembered, reshaping
from backbone_bench.cost.rules.table import RULES, launches_nothing

__all__ = ["RULES", "ShapeRules"]

del elementwise, layers, pools, products, reshaping  # imported because they register their rules

_PLAIN_TYPES = ((), (Tensor,))
_transform = torch._C._functorch.peek_interpreter_stack  # the active one, as `vmap`: tensors have hidden dimensions


class ShapeRules(TorchFunctionMode):
    """Function mode that applies the shape rules, lets views through, and runs the rest under the recorder."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        rule = RULES.get(func)
        if rule is None:
            if launches_nothing(func):
                return func(*args, **kwargs)
        elif types in _PLAIN_TYPES and _transform() is None:
            try:
                out = rule(self._ledger, *args, **kwargs)
            except (TypeError, ValueError, AttributeError, IndexError, RuntimeError):  # bad arguments: torch decides
                out = None
            if out is not None:
                return out
        if types in _PLAIN_TYPES and _transform() is None:
            return remembered.run(self._ledger, func, args, kwargs)
        with Recorder(self._ledger):
            return func(*args, **kwargs)
