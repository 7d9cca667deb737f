"""Report of the machine to diagnose: torch and its devices, packages, cores, clock."""

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from backbone_bench.base.errors import first_line
from backbone_bench.base.program import __version__
from backbone_bench.measure.clock import HostClock
from backbone_bench.measure.devices import available
from backbone_bench.measure.machine import system
from backbone_bench.measure.nvml.card import Card
from backbone_bench.measure.nvml.find import card_for
from backbone_bench.measure.protocols import CaptureFailed, Clock, Device, EventsFailed
from backbone_bench.records import Known, Missing

PACKAGES = ("numpy", "fvcore", "nvidia-ml-py", "timm", "torchvision", "matplotlib")


class AcceleratorReport(NamedTuple):
    """One accelerator of torch, with the result of trying its events, its graphs and NVML."""

    name: str
    title: str
    events: Known[None]
    graphs: Known[None]
    card: Known[Card]


@dataclass(frozen=True, slots=True)
class MachineReport:
    """The machine to diagnose. A test can construct any machine."""

    torch: available.TorchBuild
    versions: Mapping[str, str]  # of this program, Python, and the installed packages
    capability: str  # the widest vector instructions that torch uses
    cores: int
    affinity: int
    timer_s: Known[float]  # resolution of the host clock; Missing if torch cannot compute on the CPU
    root: bool
    accelerators: tuple[AcceleratorReport, ...]
    clock: Clock
    files: Path = system.ROOT


def this_machine() -> MachineReport:
    """Report of this machine."""
    build = available.probe()
    names = [f"{build.accelerator}:{index}" for index in range(build.devices)]
    return MachineReport(
        torch=build,
        versions=_versions(),
        capability=torch.backends.cpu.get_cpu_capability(),
        cores=system.cores(),
        affinity=system.affinity(),
        timer_s=_timer_s(),
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        accelerators=tuple(_try(name, build) for name in names),
        clock=HostClock(),
    )


def _versions() -> dict[str, str]:
    installed = {name: system.version((name,)) for name in PACKAGES}
    base = {"backbone-bench": __version__, "Python": platform.python_version()}
    return base | {name: version for name, version in installed.items() if version}


def _timer_s() -> Known[float]:
    try:
        torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(4, 3, 3, 3))
    except RuntimeError as error:
        return Missing("no_cpu", f"torch cannot compute on this CPU: {first_line(error)}.")
    return time.get_clock_info("perf_counter").resolution


def _try(name: str, build: available.TorchBuild) -> AcceleratorReport:
    device = available.resolve(name, build)
    module = torch.get_device_module(name.split(":")[0])
    title = module.get_device_name(name) if hasattr(module, "get_device_name") else name
    return AcceleratorReport(name, title, _events(device), _graphs(device), card_for(name))


def _events(device: Device) -> Known[None]:
    try:
        device.event()
    except EventsFailed as failure:
        return failure.missing
    return None


def _graphs(device: Device) -> Known[None]:
    ones = torch.ones(8, device=device.name)
    try:
        device.capture(lambda: ones + 1)
    except CaptureFailed as failure:
        return failure.missing
    return None
