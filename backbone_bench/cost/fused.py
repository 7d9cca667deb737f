"""Layers that accelerators run forward and backward as one operation each, and what autograd keeps for them.

Under autograd, torch splits them for the meta device and the CPU: attention
into products and a softmax, an LSTM into its steps. Here each has one
operation forward and one backward, as on an accelerator.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch import Tensor

from backbone_bench.base.pytree import tensors_of
from backbone_bench.cost import formulas
from backbone_bench.cost.formulas import NONE, Arithmetic
from backbone_bench.cost.ledger import Ledger

Needed = Callable[[Any], bool]  # whether the gradient of a tensor is needed

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
_PYTHON = (torch._C.DispatchKey.Python, torch._C.DispatchKey.PythonTLSSnapshot)


class Saved(NamedTuple):
    """What autograd keeps for the backward pass of one call, besides tensors that live anyway."""

    saved: Sequence[Tensor]  # of the arguments and results
    extra: Sequence[tuple[Sequence[int], torch.dtype]]  # tensors that the kernel makes for its own backward


class FusedLayer(NamedTuple):
    """What one layer keeps, and the cost of its backward pass; all are given the arguments of the aten operation."""

    keeps: Callable[[Sequence[Any], Sequence[Tensor]], Saved]  # from the arguments and the results
    backward: Callable[[Sequence[Any], Tensor, Needed], Arithmetic]  # from the arguments, the first result, the needed
    applies: Callable[[Sequence[Any]], bool] = lambda args: True


@contextmanager
def as_one(ledger: Ledger, device: str) -> Iterator[None]:
    """Run the layers of `FUSED` on `device` ("meta" or "cpu") as one operation each, in this thread."""
    thread = get_ident()
    library = torch.library.Library("aten", "IMPL", {"cpu": "AutogradCPU", "meta": "AutogradMeta"}[device])
    try:
        for name, layer in FUSED.items():
            library.impl(name, _kernel(ledger, name, layer, thread))
        yield
    finally:
        library._destroy()


def _kernel(ledger: Ledger, name: str, layer: FusedLayer, thread: int) -> Callable[..., Any]:
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(torch.ops.aten, packet), overload or "default")
    defaults = [argument.default_value for argument in operation._schema.arguments]

    def kernel(*args: Any, **kwargs: Any) -> Any:
        def run() -> Any:
            return operation._op_dk(_COMPOSITE, *args, **kwargs)

        positional = [*args, *defaults[len(args) :]]
        if get_ident() != thread or not torch.is_grad_enabled() or not layer.applies(positional):
            return run()
        return _Layer.apply(_Call(ledger, packet, layer, positional, run), *tensors_of(args))

    return kernel


class _Call(NamedTuple):
    """One call of a layer."""

    ledger: Ledger
    op: str
    layer: FusedLayer
    args: Sequence[Any]
    run: Callable[[], Any]


class _Layer(torch.autograd.Function):
    """One fused layer under autograd."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> Any:
        with _unseen():
            out = call.run()
        results = list(tensors_of(out))
        saved, extra = call.layer.keeps(call.args, results)
        for tensor in results:
            call.ledger.track(tensor)
        ctx.save_for_backward(*saved, *(tensors[0].new_empty(shape, dtype=dtype) for shape, dtype in extra))
        ctx.like = [(tensor.shape, tensor.dtype) for tensor in tensors]
        ids = {id(tensor) for tensor, needs in zip(tensors, ctx.needs_input_grad[1:], strict=True) if needs}
        ctx.call, ctx.cost = call, call.layer.backward(call.args, results[0], lambda tensor: id(tensor) in ids)
        ctx.set_materialize_grads(False)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        given = [gradient for gradient in gradients if gradient is not None]
        with _unseen():
            made = [
                given[0].new_zeros(shape, dtype=dtype) if needs else None
                for needs, (shape, dtype) in zip(ctx.needs_input_grad[1:], ctx.like, strict=True)
            ]
        writes = [tensor for tensor in made if tensor is not None]
        ctx.call.ledger.book(f"{ctx.call.op}_backward", [*ctx.saved_tensors, *given], writes, ctx.cost)
        return None, *made


@contextmanager
def _unseen() -> Iterator[None]:
    """Run without the recorder: the parts of a fused layer are no operations of their own."""
    with ExitStack() as stack:
        for key in _PYTHON:
            stack.enter_context(torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(key)))
        yield


# The layers. Torch's FlopCounterMode counts the same products for a fused attention.


def _attention_keeps(args: Sequence[Any], results: Sequence[Tensor]) -> Saved:
    out = results[0]
    return Saved([*tensors_of(args), out], [(out.shape[:-1], torch.float32)])  # the logarithm of each row's sum


def _attention_backward(args: Sequence[Any], out: Tensor, needed: Needed) -> Arithmetic:
    query, key, value, mask = args[:4]
    needs = formulas.AttentionGradients(needed(query), needed(key), needed(value), needed(mask))
    return formulas.attention_backward(query.shape, key.shape, out.shape, needs)


def _dropout_keeps(args: Sequence[Any], results: Sequence[Tensor]) -> Saved:
    return Saved((), [(args[0].shape, torch.bool)])


def _dropout_drops(args: Sequence[Any]) -> bool:
    _, p, train = args[:3]
    return bool(train and 0 < p < 1)


class _Recurrent(NamedTuple):
    """A recurrent layer as aten passes it."""

    data: Tensor
    weights: Sequence[Tensor]
    layers: int
    directions: int

    @classmethod
    def of(cls, args: Sequence[Any]) -> "_Recurrent":
        at = max(i for i, argument in enumerate(args) if isinstance(argument, (list, tuple)))
        _, layers, _, _, bidirectional = args[at + 1 : at + 6]  # without has_biases, dropout and train
        return cls(args[0], args[at], layers, 1 + bidirectional)

    @property
    def first_layer(self) -> Sequence[Tensor]:
        """The weights that the input is multiplied by."""
        step = len(self.weights) // (self.layers * self.directions)
        return self.weights[: step * self.directions : step]


def _recurrent_keeps(states: int) -> Callable[[Sequence[Any], Sequence[Tensor]], Saved]:
    """All that goes in and out, and of every step and layer the gates and as many states."""

    def keeps(args: Sequence[Any], results: Sequence[Tensor]) -> Saved:
        layer = _Recurrent.of(args)
        gates = layer.weights[0].shape[0]
        hidden = layer.weights[1].shape[1]
        shape = (*layer.data.shape[:-1], layer.layers * layer.directions * (gates + states * hidden))
        return Saved([*tensors_of(args), *results], [(shape, layer.data.dtype)])

    return keeps


def _recurrent_backward(args: Sequence[Any], out: Tensor, needed: Needed) -> Arithmetic:
    layer = _Recurrent.of(args)
    x, shapes = layer.data.shape, [weight.shape for weight in layer.weights]
    every = formulas.recurrent(x, shapes, images=1).flops
    first = formulas.recurrent(x, [weight.shape for weight in layer.first_layer], images=1).flops
    by_data = every if needed(layer.data) else every - first
    return Arithmetic(by_data + (every if any(map(needed, layer.weights)) else 0))


FUSED: dict[str, FusedLayer] = {
    "scaled_dot_product_attention": FusedLayer(_attention_keeps, _attention_backward),
    "dropout": FusedLayer(_dropout_keeps, lambda args, out, needed: NONE, _dropout_drops),
    **{
        f"{op}.{form}": FusedLayer(_recurrent_keeps(states), _recurrent_backward)
        for op, states in {"lstm": 1, "gru": 1, "rnn_tanh": 0, "rnn_relu": 0}.items()
        for form in ("input", "data")
    },
}
