"""One pass over a model, and what every operation of it costs.

The pass runs on the meta device: no weights, no arithmetic. The modules'
parameters and buffers are swapped for stand-ins with a shape and no values,
in the modules' own tables, and put back in `finally`; the model is left as it
was found, whatever happens. Where a forward pass reads values, or a module
cannot be swapped (scripted, quantized), the pass runs on the CPU with the
tensors themselves, and the cost says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.rules import RULES, launches_nothing
from backbone_bench.nested import map_tensors, tensors_of
from backbone_bench.records import ModelCost

Path = Literal["meta", "cpu"]


def count(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None, *, batch: int = 1
) -> ModelCost:
    """What one forward pass of `model(*args, **kwargs)` costs, in the mode (train or eval) the model is in.

    `batch` is the number of images in the inputs: `access` and `cio` are
    those of one. Inputs may be real tensors or tensors on meta, nested in
    tuples, lists and dictionaries; a real CPU pass needs real ones for what
    it reads. Raises what the model raises.
    """
    model = _as_written(model)
    keywords = dict(kwargs or {})
    if not _can_be_swapped(model):
        return _pass(model, args, keywords, batch, "cpu")
    if all(parameter.is_meta for parameter in model.parameters()) and _any_parameter(model):
        return _pass(model, args, keywords, batch, "meta")  # there are no values to fall back to
    try:
        return _pass(model, args, keywords, batch, "meta")
    except (RuntimeError, TypeError, ValueError):  # values were read; a fault of the model itself shows again below
        return _pass(model, args, keywords, batch, "cpu")


def _any_parameter(model: nn.Module) -> bool:
    return next(model.parameters(), None) is not None


def _as_written(model: nn.Module) -> nn.Module:
    """A compiled model is counted as it was written."""
    written = getattr(model, "_orig_mod", model)
    return written if isinstance(written, nn.Module) else model


def _can_be_swapped(model: nn.Module) -> bool:
    return not any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()) and all(
        tensor.layout is torch.strided and not tensor.is_quantized
        for tensor in model.state_dict().values()
        if isinstance(tensor, Tensor)
    )


def _pass(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], batch: int, path: Path) -> ModelCost:
    params = sum(parameter.numel() for parameter in model.parameters())
    params_bytes = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    with ExitStack() as stack:
        stack.enter_context(_on_meta(model) if path == "meta" else _as_found(model))
        ledger = Ledger(model, batch)
        inputs = map_tensors((tuple(args), dict(kwargs)), _stand_in if path == "meta" else _real)
        for tensor in tensors_of(inputs):
            ledger.hold(tensor)
        for handle in ledger.follow_modules():
            stack.callback(handle.remove)
        stack.enter_context(torch.inference_mode())
        stack.enter_context(_ShapeRules(ledger) if path == "meta" else _plain_kernels(ledger))
        model(*inputs[0], **inputs[1])
    return ModelCost(params, params_bytes, ledger.peak_bytes, path, ledger.rows())


class _ShapeRules(TorchFunctionMode):
    """Answers what has a rule, lets views through, and runs the rest under the recorder."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        rule = RULES.get(func)
        if rule is not None:
            out = rule(self._ledger, *args, **kwargs)
            if out is not None:
                return out
        elif launches_nothing(func):
            return func(*args, **kwargs)
        with Recorder(self._ledger):
            return func(*args, **kwargs)


@contextmanager
def _plain_kernels(ledger: Ledger) -> Iterator[None]:
    """On the CPU, fused kernels would hide their arithmetic from the recorder."""
    fast_attention = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False), Recorder(ledger):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)


@contextmanager
def _on_meta(model: nn.Module) -> Iterator[None]:
    """The model with stand-ins for its parameters and buffers; a tensor with two names keeps both."""
    stand_ins: dict[int, Tensor] = {}
    found: list[tuple[dict[str, Any], str, Tensor]] = []
    try:
        for module in model.modules():
            tables: tuple[dict[str, Any], dict[str, Any]] = module._parameters, module._buffers
            for table in tables:
                for name, tensor in table.items():
                    if tensor is None or tensor.is_meta:
                        continue
                    found.append((table, name, tensor))
                    table[name] = stand_ins.setdefault(id(tensor), _stand_in(tensor))
        yield
    finally:
        for table, name, tensor in found:
            table[name] = tensor


def _stand_in(tensor: Tensor) -> Tensor:
    """A tensor of the same shape and type on meta, laid out plainly: no count depends on the layout of memory."""
    made = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(made, requires_grad=tensor.requires_grad)
    return made


@contextmanager
def _as_found(model: nn.Module) -> Iterator[None]:
    """The model itself; buffers that the pass changes (batch-norm statistics in training) are put back."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def _real(tensor: Tensor) -> Tensor:
    """Values for a tensor that has none."""
    if not tensor.is_meta:
        return tensor.cpu()
    if tensor.dtype.is_floating_point:
        return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)).to(tensor.dtype)
    return torch.zeros(tensor.shape, dtype=tensor.dtype)
