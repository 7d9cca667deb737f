"""One pass over a model, and what every operation of it costs.

The pass runs on the meta device: no weights, no arithmetic. Stand-ins with a
shape and no values take the places of the modules' tensors (`cost.swap`), and
the model is left as it was found, whatever happens. Where a forward pass reads
values, or a module cannot be swapped (scripted, quantized), the pass runs on
the CPU with the tensors themselves, and the cost says so.
"""

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import UninitializedBuffer, is_lazy

from backbone_bench.base import collector
from backbone_bench.base.pytree import map_tensors, tensors_of
from backbone_bench.cost.digest import shapes_sha256
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.rules import ShapeRules
from backbone_bench.cost.swap import Survey, real, stand_in, values_kept
from backbone_bench.records import ModelCost

_ONE_PASS = threading.RLock()  # a second thread would take the first one's stand-ins for the model


def count(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None, *, batch: int = 1
) -> ModelCost:
    """What one forward pass of `model(*args, **kwargs)` costs, in the mode (train or eval) the model is in.

    `batch` is the number of images in the inputs: `access` and `cio` are
    those of one. Inputs may be real tensors or tensors on meta, nested in
    tuples, lists, dictionaries and dataclasses; a pass on the CPU makes up
    values for those that have none. Raises what the model raises.
    """
    # What is alive must not depend on when cycles are collected, and looking for them takes longer than the pass.
    with _ONE_PASS, collector.resting():
        return _count(_Call(as_written(model), tuple(args), dict(kwargs or {}), batch))


def _count(call: "_Call") -> ModelCost:
    if any(map(is_lazy, call.parameters())):
        call = call.initialised()
    if any(isinstance(module, torch.jit.ScriptModule) for _, module in call.survey.modules):
        return call.on_cpu()
    try:
        return call.on_meta()
    except Exception:  # for want of values the model may raise anything; a fault of its own shows again on the CPU
        if any(parameter.is_meta for parameter in call.parameters()):
            raise
    return call.on_cpu()


def as_written(model: nn.Module) -> nn.Module:
    """A compiled model as it was before, and one that is spread over devices as on one."""
    if isinstance(model, nn.DataParallel):
        return model.module
    written = getattr(model, "_orig_mod", model)
    return written if isinstance(written, nn.Module) else model


@dataclass
class _Call:
    """A model and what it is called with."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    batch: int

    @cached_property
    def survey(self) -> Survey:
        return Survey(self.model)

    def parameters(self) -> list[Tensor]:
        """Each once; their stand-ins while they are swapped."""
        tables = [module._parameters for _, module in self.survey.modules]
        found = {id(tensor): tensor for table in tables if table for tensor in table.values() if tensor is not None}
        return list(found.values())

    def initialised(self) -> "_Call":
        """The same with a copy of the model, whose lazy modules have learnt their shapes from one real call."""
        lazy = [buffer for buffer in self.model.buffers() if is_lazy(buffer)]
        copies = {id(buffer): UninitializedBuffer(dtype=buffer.dtype) for buffer in lazy}  # type: ignore[call-arg]  # torch's stubs leave it out
        model = copy.deepcopy(self.model, copies)  # torch knows how to copy lazy parameters alone
        args, kwargs = map_tensors((self.args, self.kwargs), real)
        with torch.random.fork_rng(devices=()), torch.no_grad():
            model(*args, **kwargs)
        return _Call(model, self.args, self.kwargs, self.batch)

    def on_meta(self) -> ModelCost:
        with self.survey.left_as_found():
            return self._run("meta", self.survey.put_on_meta(), torch.inference_mode)

    def on_cpu(self) -> ModelCost:
        held = [place.tensor for place in self.survey.places]
        with self.survey.left_as_found(), values_kept(self.model):
            try:
                return self._run("cpu", held, torch.inference_mode)
            except RuntimeError as error:
                if "grad" not in str(error) and "Inference" not in str(error):
                    raise
            return self._run("cpu", held, torch.no_grad)  # it takes gradients of its own, which is forbidden above

    def _run(
        self, path: Literal["meta", "cpu"], held: list[Tensor], quietly: Callable[[], AbstractContextManager[Any]]
    ) -> ModelCost:
        parameters = self.parameters()
        ledger = Ledger(parameters, lambda: [*held, *self.survey.buffers()], self.batch)
        args, kwargs = map_tensors((self.args, self.kwargs), stand_in if path == "meta" else real)
        for tensor in tensors_of((args, kwargs)):
            ledger.hold_new(tensor)
        counting = ShapeRules(ledger) if path == "meta" else _plain_kernels(ledger)
        with ledger.following(self.survey.modules), _uncompiled(self.survey), quietly(), counting:
            self.model(*args, **kwargs)
        return ModelCost(
            params=sum(parameter.numel() for parameter in parameters),
            params_bytes=sum(parameter.numel() * parameter.element_size() for parameter in parameters),
            peak_activation_bytes=ledger.peak_bytes,
            path=path,
            by_op=ledger.rows(),
            shapes_sha256=shapes_sha256(self.survey.modules),
        )


def _uncompiled(survey: Survey) -> AbstractContextManager[Any]:
    """Modules that are compiled within the model run as they were written."""
    if any(module._compiled_call_impl or "_orig_mod" in module._modules for _, module in survey.modules):
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


@contextmanager
def _plain_kernels(ledger: Ledger) -> Iterator[None]:
    """On the CPU, fused kernels would hide their arithmetic from the recorder."""
    fast_attention, mkldnn = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # the module is a set of properties
    try:
        with sdpa_kernel(SDPBackend.MATH), Recorder(ledger):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)
        torch.backends.mkldnn.enabled = mkldnn
