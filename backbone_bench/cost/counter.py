"""Count every operation of one forward pass, or of one training step.

The pass runs on the meta device: no weights, no arithmetic. Meta tensors (a
shape, no values) replace the modules' tensors (`cost.swap`), and the model is
always restored, also after an error. If the forward pass reads values, or a
module has no meta form (scripted, quantized), the pass runs on the CPU with
the real tensors; `ModelCost.path` says which.
"""

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

from backbone_bench.base import collector
from backbone_bench.base.pytree import map_tensors, tensors_of
from backbone_bench.cost import training
from backbone_bench.cost.autocast import autocast_on_meta
from backbone_bench.cost.chance import TRIED_SEEDS, Chance
from backbone_bench.cost.compiled import compiler_is_loaded, forget_compiled, uncompiled
from backbone_bench.cost.digest import shapes_sha256
from backbone_bench.cost.fused import as_one
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.rules import ShapeRules
from backbone_bench.cost.storage import is_wrapper, parts
from backbone_bench.cost.swap import Survey, as_meta, buffers_restored, gradients_restored, real
from backbone_bench.cost.training import TrainingLedger, TrainingStep
from backbone_bench.records import ModelCost

Path = Literal["meta", "cpu"]
_LAZY = (UninitializedParameter, UninitializedBuffer)
_ONE_PASS = threading.RLock()  # a second thread would see the first one's meta tensors in the model

# Words of the errors of models that compute gradients, and of tensors (masked ones) that know no composite operations.
_NOT_IN_INFERENCE_MODE = ("grad", "inference", "__torch_dispatch__")


def count(  # noqa: PLR0913  # a call and its conditions
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    batch: int = 1,
    seed: int = 0,
    training: TrainingStep | None = None,
) -> ModelCost:
    """Cost of one forward pass of `model(*args, **kwargs)`, in the model's current mode (train or eval).

    With `training`, cost of a whole training step. Its peak of activations has
    the gradients too, but not the optimizer's state.

    `batch` is the number of images in the inputs: memory access and CIO are
    given for one image. Inputs may be real or meta tensors, nested in tuples,
    lists, dictionaries and dataclasses; a pass on the CPU replaces meta inputs
    by tensors with values. Random choices of the model follow `seed`; where it
    makes any, other seeds are tried (`ModelCost.varies`). Raises what the model
    raises.
    """
    # Peak activations must not depend on when reference cycles are collected; also, a collection takes longer than the
    # pass.
    with _ONE_PASS, collector.gc_disabled():
        call = _Call(unwrapped(model), tuple(args), dict(kwargs or {}), batch, training)
        counted = _count(call)
        if not call.chance.was_used:
            return counted
        counted = _seeded(call, seed)
        others = range(seed + 1, seed + 1 + TRIED_SEEDS[counted.path])
        return replace(counted, varies=any(_seeded(call, other, own=True) != counted for other in others))


def _seeded(call: "_Call", seed: int, *, own: bool = False) -> ModelCost:
    with call.chance.seeded(seed, own=own):
        return _count(call)


def _count(call: "_Call") -> ModelCost:
    if any(issubclass(kind, _LAZY) for kind in set(map(type, call.parameters()))):
        call = call.with_lazy_initialised()
    if any(issubclass(kind, torch.jit.ScriptModule) for kind in {type(module) for _, module in call.survey.modules}):
        return call.on_cpu()
    try:
        return call.on_meta()
    except Exception:  # without values the model may raise anything; a bug of its own raises again on the CPU
        if any(parameter.is_meta for parameter in call.parameters()):
            raise
    return call.on_cpu()


def unwrapped(model: nn.Module) -> nn.Module:
    """The original model inside `torch.compile` or `nn.DataParallel`; any other model itself."""
    if isinstance(model, nn.DataParallel):
        return model.module
    original = getattr(model, "_orig_mod", model)
    return original if isinstance(original, nn.Module) else model


@dataclass
class _Call:
    """A model with its arguments: one forward pass, or one training step, to count."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    batch: int
    training: TrainingStep | None
    fused: bool = False  # attention may run as one kernel

    @cached_property
    def survey(self) -> Survey:
        return Survey(self.model)

    @cached_property
    def chance(self) -> Chance:
        return Chance(module for _, module in self.survey.modules)

    def parameters(self) -> list[Tensor]:
        """Every parameter once; during the meta pass, the meta tensors in their place."""
        tables = [module._parameters for _, module in self.survey.modules]
        found = {id(tensor): tensor for table in tables if table for tensor in table.values() if tensor is not None}
        return list(found.values())

    def with_lazy_initialised(self) -> "_Call":
        """The same call on a copy of the model whose lazy modules got their shapes from one real forward pass."""
        lazy = [buffer for buffer in self.model.buffers() if is_lazy(buffer)]
        copies = {id(buffer): UninitializedBuffer(dtype=buffer.dtype) for buffer in lazy}  # type: ignore[call-arg]  # missing in torch's stubs
        model = copy.deepcopy(self.model, copies)  # torch can copy lazy parameters, but not lazy buffers
        args, kwargs = map_tensors((self.args, self.kwargs), real)
        with torch.random.fork_rng(devices=()), torch.no_grad():
            model(*args, **kwargs)
        initialised = _Call(model, self.args, self.kwargs, self.batch, self.training)
        initialised.chance = self.chance  # the caller asks it whether the model has drawn
        return initialised

    def on_meta(self) -> ModelCost:
        with self.survey.left_as_found(), autocast_on_meta():
            counted = self._run("meta", self.survey.put_on_meta(), torch.inference_mode)
        if self.training is None:
            return counted
        with self.survey.left_as_found(), autocast_on_meta():
            return self._with_training(counted, self.survey.put_on_meta())

    def on_cpu(self) -> ModelCost:
        state = [place.tensor for place in self.survey.places]
        with self.survey.left_as_found(), buffers_restored(self.model):
            counted = self._forward_on_cpu(state)
        if self.training is None:
            return counted
        with self.survey.left_as_found(), buffers_restored(self.model):
            return self._with_training(counted, state)

    def _forward_on_cpu(self, state: list[Tensor]) -> ModelCost:
        try:
            return self._run("cpu", state, torch.inference_mode)
        except AssertionError as error:  # attention on nested tensors has no other kernel than the fused one
            if "fast path" not in str(error):
                raise
            self.fused = True
            return self._run("cpu", state, torch.inference_mode)
        except (RuntimeError, TypeError) as error:
            if not any(word in str(error).lower() for word in _NOT_IN_INFERENCE_MODE):
                raise
        return self._run("cpu", state, torch.no_grad)

    def _run(
        self, path: Path, state: list[Tensor], without_grad: Callable[[], AbstractContextManager[Any]]
    ) -> ModelCost:
        """Run one pass, and once more if it was the first to load the compiler, which had then compiled in it."""
        was_loaded = compiler_is_loaded()
        try:
            counted = self._pass(path, state, without_grad)
        except Exception:  # a compiler raises anything where it cannot see through the recorder
            if was_loaded or not compiler_is_loaded():
                raise
        else:
            if was_loaded or not compiler_is_loaded():
                return counted
        forget_compiled()
        return self._pass(path, state, without_grad)

    def _pass(
        self, path: Path, state: list[Tensor], without_grad: Callable[[], AbstractContextManager[Any]]
    ) -> ModelCost:
        parameters = self.parameters()
        ledger = Ledger(parameters, lambda: [*state, *self.survey.buffers()], self.batch)
        args, kwargs = self._inputs(path, ledger)
        if path == "cpu":
            recording: AbstractContextManager[Any] = _plain_kernels(ledger, fused=self.fused)
        elif any(map(is_wrapper, set(map(type, (*parameters, *state, *tensors_of((args, kwargs))))))):
            recording = Recorder(ledger)  # the shape rules do not look into a tensor
        else:
            recording = ShapeRules(ledger)
        with self.chance.watched(), ledger.attributing_to(self.survey.modules), uncompiled(), without_grad(), recording:
            self.model(*args, **kwargs)
        stored = [parts(parameter) for parameter in parameters]
        return ModelCost(
            params=sum(some[0].numel() for some in stored),
            params_bytes=sum(part.numel() * part.element_size() for some in stored for part in some),
            peak_activation_bytes=ledger.peak_activation_bytes,
            path=path,
            by_op=ledger.rows(),
            shapes_sha256=shapes_sha256(self.survey.modules),
        )

    def _inputs(self, path: Path, ledger: Ledger) -> tuple[Any, Any]:
        """The arguments and keyword arguments on the device of the pass."""
        args, kwargs = map_tensors((self.args, self.kwargs), as_meta if path == "meta" else real)
        for tensor in tensors_of((args, kwargs)):
            ledger.track_input(tensor)
        return args, kwargs

    def _with_training(self, counted: ModelCost, state: list[Tensor]) -> ModelCost:
        """The counted forward pass, and what follows it in a training step."""
        assert self.training is not None
        path, parameters = counted.path, self.parameters()
        ledger = TrainingLedger(parameters, lambda: [*state, *self.survey.buffers()], self.batch)
        args, kwargs = self._inputs(path, ledger)
        own = gradients_restored([*parameters, *tensors_of((args, kwargs))])
        recorder = Recorder(ledger) if path == "meta" else _plain_kernels(ledger, fused=False)
        attributing = ledger.attributing_to(self.survey.modules)
        with own, self.chance.watched(), attributing, uncompiled(), as_one(ledger, path):
            training.run(lambda: self.model(*args, **kwargs), self.training, ledger, recorder)
        peak = ledger.peak_activation_bytes
        return replace(counted, peak_activation_bytes=peak, by_op=(*counted.by_op, *ledger.rows()))


@contextmanager
def _plain_kernels(ledger: Ledger, *, fused: bool) -> Iterator[None]:
    """Record on the CPU without fused kernels: they would hide their layers from the recorder."""
    fast_attention, mkldnn = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    torch.backends.mha.set_fastpath_enabled(fused)
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # torch replaces this module by an object with properties
    try:
        with sdpa_kernel(SDPBackend.MATH), Recorder(ledger):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)
        torch.backends.mkldnn.enabled = mkldnn
