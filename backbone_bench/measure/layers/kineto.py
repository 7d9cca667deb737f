"""Torch's profiler (kineto) as spans: a thin adapter."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, supported_activities

from backbone_bench.measure.layers.spans import HostSpan
from backbone_bench.measure.protocols import Device, Step, Unavailable
from backbone_bench.records import Missing

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # kineto writes lines of its own to stderr


class Profiled(NamedTuple):
    """What torch's profiler saw: the outermost spans of the host, and the time of all kernels of the device."""

    roots: tuple[HostSpan, ...]
    kernels_s: float


def profiled(step: Step, calls: int, device: Device, trace: Path | None = None) -> Profiled:
    """Run the step so many times under the profiler; `trace` gets the profile as Chrome's and Perfetto's JSON.

    Raises Unavailable if torch cannot time the kernels of this device.
    """
    activities = [ProfilerActivity.CPU, *([] if device.is_host else [_activity(device)])]
    with profile(activities=activities) as profiler:
        for _ in range(calls):
            step()
        device.synchronize()
    if trace is not None:
        profiler.export_chrome_trace(str(trace))
    events = profiler.events() or []
    roots = [event for event in events if event.device_type == DeviceType.CPU and event.cpu_parent is None]
    own = [event for event in events if event.device_type != DeviceType.CPU and not event.is_user_annotation]
    return Profiled(tuple(map(_span, roots)), sum(_seconds(event) for event in own))


def _activity(device: Device) -> ProfilerActivity:
    kind = torch.device(device.name).type
    activity = getattr(ProfilerActivity, kind.upper(), None)
    if activity is None or activity not in supported_activities():
        raise Unavailable(Missing("no_kernel_times", f"this torch cannot time the kernels of {kind}"))
    return activity


def _span(root: Any) -> HostSpan:
    """A torch event and all within it as spans, without recursion: modules may be nested deeply."""
    made: dict[int, HostSpan] = {}
    pending = [(root, False)]
    while pending:
        event, is_open = pending.pop()
        if not is_open:
            pending.append((event, True))
            pending += [(child, False) for child in event.cpu_children]
            continue
        children = tuple(made.pop(id(child)) for child in event.cpu_children)
        kernels = tuple(kernel.duration / 1e6 for kernel in event.kernels)  # microseconds
        made[id(event)] = HostSpan(event.name, _seconds(event), kernels, children, event.sequence_nr)
    return made[id(root)]


def _seconds(event: Any) -> float:
    return float(event.time_range.elapsed_us()) / 1e6
