"""The pass that times every operation of a model. It comes last: the profiler slows the host down."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.profiler import record_function

from backbone_bench.base import forwards
from backbone_bench.measure.layers.kineto import Profiled, profiled
from backbone_bench.measure.layers.spans import MODULE, attributed, per_call
from backbone_bench.measure.protocols import Device, Step
from backbone_bench.records.layers import OpTime

_PASS_S, _MOST_CALLS = 1.0, 10  # of the pass


class TimedLayers(NamedTuple):
    """The times of one call by operation, what no operation launched, and how many calls were made."""

    rows: tuple[OpTime, ...]
    unattributed_s: float
    calls: int


def measure(step: Step, model: nn.Module | None, device: Device, trace: Path | None = None) -> TimedLayers:
    """Time every operation of the step, each with the module of `model` that asked for it.

    Without a model, as for compiled code, which must not be touched, all belongs
    to the model itself. Raises Unavailable where torch cannot time kernels.
    """
    modules = [] if model is None else list(model.named_modules())
    with forwards.wrapped(modules, _named):
        profiled(step, 1, device)  # the first pass loads the profiler's libraries
        calls = _calls(step, device)
        found = profiled(step, calls, device, trace)
    return _rows(found, calls, modules, device)


def _named(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
    def within(*args: Any, **kwargs: Any) -> Any:
        with record_function(MODULE + name):
            return forward(*args, **kwargs)

    return within


def _calls(step: Step, device: Device) -> int:
    began_s = device.now_s()
    step()
    device.synchronize()
    return max(1, min(_MOST_CALLS, round(_PASS_S / max(device.now_s() - began_s, 1e-6))))


def _rows(found: Profiled, calls: int, modules: Sequence[tuple[str, nn.Module]], device: Device) -> TimedLayers:
    by_module = attributed(found.roots, by_kernels=not device.is_host)
    forms = {name: form(module) for name, module in modules if isinstance(module, _ConvNd)}
    launched_s = sum(work.time_s for work in by_module.work.values())
    left_s = 0.0 if device.is_host else max(0.0, found.kernels_s - launched_s)
    return TimedLayers(per_call(by_module, calls, forms), left_s / calls, calls)


def form(module: _ConvNd) -> str:
    """The kernel of a convolution in words: `1x1`, `3x3`, `3x3 grouped`, `3x3 depthwise`."""
    kernel = "x".join(map(str, module.kernel_size))
    if module.groups == 1:
        return kernel
    return f"{kernel} {'depthwise' if module.groups == module.in_channels else 'grouped'}"
