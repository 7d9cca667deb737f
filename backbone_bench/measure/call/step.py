"""Steps: a step is one call of a model for a workload, ready to be timed on its device.

Weights and inputs are random numbers from a seed: with constant data a GPU uses
less power and runs at higher clocks (295 instead of 257 TFLOP/s on an A100).
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from backbone_bench.base.choices import Optimizer
from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.base.pytree import map_tensors
from backbone_bench.base.training import OPTIMIZERS, differentiable
from backbone_bench.measure.call.failures import as_user_errors
from backbone_bench.measure.call.precision import HALVES
from backbone_bench.measure.protocols import Step
from backbone_bench.records import Workload

COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs", "lite")


@contextmanager
def prepared(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], workload: Workload, device: str
) -> Iterator[Step]:
    """Prepare the workload's call as a step that can be timed while the context is open.

    The model is moved and converted in place. Inputs on the meta device get random
    values; others are moved. A step in `train` mode runs forward and backward, with
    random output gradients, and the workload's optimizer if it has one. Raises CouldNotMeasure if the device
    cannot run it, out of memory included.
    """
    with as_user_errors(workload, device), _compiler(workload.compile):
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
            yield _training(model, forward, workload.optimizer, generator)
        else:
            with torch.inference_mode():
                yield forward


@contextmanager
def _compiler(mode: str | None) -> Iterator[None]:
    """Reset the compiler on exit, and hide its warnings, which are not meant for the user."""
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
    """Set eval or train mode. Raises UserError for an exported program of the other mode, which cannot change."""
    if model.training == train:
        return
    try:
        model.train(train)
    except NotImplementedError:  # raised by exported programs
        raise UserError(
            "An exported program cannot change between eval and train: export it in the other mode."
        ) from None


class _Move:
    """Moves models and tensors to the device, in the workload's data type and memory format."""

    def __init__(self, workload: Workload, device: torch.device) -> None:
        self.device, self.half = device, HALVES.get(workload.precision)
        self.channels_last = workload.memory_format == "channels_last"

    def model(self, model: nn.Module) -> nn.Module:
        moved = model.to(device=self.device, dtype=self.half)
        if self.channels_last:
            moved.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        return moved

    def tensor(self, tensor: Tensor) -> Tensor:
        dtype = self.half if tensor.is_floating_point() and self.half is not None else tensor.dtype
        moved = tensor.to(device=self.device, dtype=dtype)
        if self.channels_last and moved.dim() == 4:
            return moved.contiguous(memory_format=torch.channels_last)
        return moved


def draw(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Random values for a tensor on the meta device: standard normal, or 0 and 1 for integers and booleans."""
    if not tensor.is_meta:
        return tensor
    if tensor.is_floating_point() or tensor.is_complex():
        dtype = torch.complex64 if tensor.is_complex() else torch.float32
        return torch.randn(tensor.shape, generator=generator, dtype=dtype).to(tensor.dtype)
    return torch.randint(0, 2, tensor.shape, generator=generator).to(tensor.dtype)


def _compiled(model: nn.Module, mode: str | None) -> Callable[..., object]:
    if mode is None:
        return model
    if mode not in COMPILE_MODES:
        raise UserError(f"{mode!r} is not a compile mode. {did_you_mean(mode, COMPILE_MODES, _ONE_OF)}")
    return torch.compile(model, mode=mode)


_ONE_OF = f"Use one of {', '.join(COMPILE_MODES)}."


def _autocast(forward: Step, kind: str) -> object:
    """Call within autocast, as users do: its cache of converted weights then lasts for one call."""
    with torch.autocast(kind):
        return forward()


def _training(model: nn.Module, forward: Step, name: Optimizer | None, generator: torch.Generator) -> Step:
    gradients: list[Tensor] = []
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = None if name is None else OPTIMIZERS[name](trained)

    def step() -> object:
        model.zero_grad(set_to_none=True)
        output = forward()
        outputs = differentiable(output)
        if not gradients:
            gradients.extend(_random_like(tensor, generator) for tensor in outputs)
        torch.autograd.backward(outputs, gradients)
        if optimizer is not None:
            optimizer.step()
        return output

    return step


def _random_like(tensor: Tensor, generator: torch.Generator) -> Tensor:
    return draw(torch.empty(tensor.shape, dtype=tensor.dtype, device="meta"), generator).to(tensor.device)
