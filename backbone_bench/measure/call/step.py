"""From a model and a workload to a step: one call, ready to be timed, on its device.

Weights and inputs are drawn from a seed: constant data draws less power, and
the device clocks higher (research: 295 against 257 TFLOP/s on an A100).
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.base.pytree import map_tensors, tensors_of
from backbone_bench.measure.call.failures import in_words
from backbone_bench.measure.call.precision import HALVES
from backbone_bench.measure.protocols import Step
from backbone_bench.records import Workload

COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs", "lite")


@contextmanager
def prepared(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], workload: Workload, device: str
) -> Iterator[Step]:
    """The workload's call as a step that can be timed while the context is open.

    The model is moved and converted in place. Inputs on the meta device are
    drawn anew; others are moved. A step of `train` mode runs forward and
    backward, with gradients of random numbers, and no optimizer. What the
    device cannot do, out of memory included, becomes CouldNotMeasure.
    """
    with in_words(workload, device), _compiler(workload.compile):
        set_mode(model, train=workload.mode == "train")
        move = _Move(workload, torch.device(device))
        call = _compiled(move.model(model), workload.compile)
        generator = torch.Generator().manual_seed(workload.seed)
        positional, named = map_tensors(
            (tuple(args), dict(kwargs)), lambda tensor: move.tensor(draw(tensor, generator))
        )
        forward = partial(call, *positional, **named)
        if workload.precision == "amp":
            forward = partial(_autocast, forward, torch.device(device).type)
        if workload.mode == "train":
            yield _training(model, forward, generator)
        else:
            with torch.inference_mode():
                yield forward


@contextmanager
def _compiler(mode: str | None) -> Iterator[None]:
    """What was compiled is forgotten on the way out; what the compiler advises on the way is not for the user."""
    if mode is None:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\.")
        try:
            yield
        finally:
            torch.compiler.reset()


def set_mode(model: nn.Module, *, train: bool) -> None:
    """Put a model into its mode; an exported program has one and keeps it."""
    if model.training == train:
        return
    try:
        model.train(train)
    except NotImplementedError:  # how torch refuses it
        raise UserError(
            "An exported program cannot change between eval and train: export it in the other mode."
        ) from None


class _Move:
    """To the device, in the workload's type and memory format."""

    def __init__(self, workload: Workload, device: torch.device) -> None:
        self.device, self.half = device, HALVES.get(workload.precision)
        self.channels_last = workload.memory_format == "channels_last"

    def model(self, model: nn.Module) -> nn.Module:
        moved = model.to(device=self.device, dtype=self.half)
        if self.channels_last:
            moved.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave it out
        return moved

    def tensor(self, tensor: Tensor) -> Tensor:
        dtype = self.half if tensor.is_floating_point() and self.half is not None else tensor.dtype
        moved = tensor.to(device=self.device, dtype=dtype)
        if self.channels_last and moved.dim() == 4:
            return moved.contiguous(memory_format=torch.channels_last)
        return moved


def draw(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """A tensor on the meta device with values: standard normal, or 0 and 1 where it holds no fractions."""
    if not tensor.is_meta:
        return tensor
    if tensor.is_floating_point() or tensor.is_complex():
        wide = torch.complex64 if tensor.is_complex() else torch.float32
        return torch.randn(tensor.shape, generator=generator, dtype=wide).to(tensor.dtype)
    return torch.randint(0, 2, tensor.shape, generator=generator).to(tensor.dtype)


def _compiled(model: nn.Module, mode: str | None) -> Callable[..., object]:
    if mode is None:
        return model
    if mode not in COMPILE_MODES:
        raise UserError(f"{mode!r} is no compile mode. {did_you_mean(mode, COMPILE_MODES, _ONE_OF)}")
    return torch.compile(model, mode=mode)


_ONE_OF = f"Use one of {', '.join(COMPILE_MODES)}."


def _autocast(forward: Step, kind: str) -> object:
    """Autocast around each call, as users write it: its cache of converted weights lasts for one call."""
    with torch.autocast(kind):
        return forward()


def _training(model: nn.Module, forward: Step, generator: torch.Generator) -> Step:
    gradients: list[Tensor] = []

    def step() -> object:
        model.zero_grad(set_to_none=True)
        output = forward()
        learned = [tensor for tensor in tensors_of(output) if tensor.requires_grad]
        if not gradients:
            gradients.extend(_random_like(tensor, generator) for tensor in learned)
        torch.autograd.backward(learned, gradients)
        return output

    return step


def _random_like(tensor: Tensor, generator: torch.Generator) -> Tensor:
    return draw(torch.empty(tensor.shape, dtype=tensor.dtype, device="meta"), generator).to(tensor.device)
