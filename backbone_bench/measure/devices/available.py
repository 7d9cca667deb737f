"""Devices by name: `auto`, `cpu`, or an accelerator of torch, with an index as in `cuda:1`."""

import re
import warnings
from typing import NamedTuple

import torch

from backbone_bench.base.choices import HOST
from backbone_bench.base.errors import UserError, did_you_mean, first_line
from backbone_bench.measure.devices.accelerator import Accelerator
from backbone_bench.measure.devices.cpu import Host
from backbone_bench.measure.devices.cuda import Cuda
from backbone_bench.measure.protocols import Device

_INSTEAD = "Use --device cpu, or count without a device: `bench count`."


class TorchBuild(NamedTuple):
    """Accelerators that this build of torch finds on this machine."""

    version: str
    accelerator: str | None  # the device type that torch was built for
    devices: int  # number of devices of this type that work
    built_for: str = ""  # the version of CUDA or ROCm
    reason: str = ""  # why no device works, in the words of the driver
    cudnn: int | None = None  # its version, as torch numbers it; None: a build without cuDNN


def probe() -> TorchBuild:
    """Ask torch for its accelerators. Its warnings go to `reason`, not to the user."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        accelerator = torch.accelerator.current_accelerator()
        available = torch.accelerator.is_available()
        count = torch.accelerator.device_count() if available else 0
    kind = accelerator.type if accelerator else None
    reason = "" if available or kind is None else _why_not(kind) or (str(caught[0].message) if caught else "")
    return TorchBuild(
        torch.__version__, kind, count, _built_for() or kind or "", reason, torch.backends.cudnn.version()
    )


def _built_for() -> str:
    for name, version in (("CUDA", torch.version.cuda), ("ROCm", torch.version.hip)):
        if version:
            return f"{name} {version}"
    return ""


def _why_not(kind: str) -> str:
    """Error message of the backend when it starts; empty if it starts."""
    try:
        torch.empty(1, device=kind)
    except (RuntimeError, AssertionError) as error:
        return first_line(error)
    return ""


def resolve(name: str, build: TorchBuild | None = None) -> Device:
    """The device of this name. Raises UserError, with the reason and the remedy, if there is none."""
    build = build or probe()
    kind, index = parse(name, build)
    if kind == HOST:
        return Host()
    device = torch.device(kind, index)
    return Cuda(device) if kind == "cuda" else Accelerator(device)


def parse(name: str, build: TorchBuild) -> tuple[str, int]:
    """Type and index of an available device. Raises UserError if there is none of this name."""
    match = re.fullmatch(r"([a-z]\w*)(?::([0-9]{1,9}))?", name)
    kind, index = (match[1], int(match[2] or 0)) if match else (name, 0)
    if kind == "auto" and match and match[2] is None:
        return (build.accelerator, 0) if build.accelerator and build.devices else (HOST, 0)
    if kind == HOST and index == 0:
        return HOST, 0
    if match is None or not _known(kind):
        hint = did_you_mean(
            name,
            ("auto", "cpu", "cuda", "xpu", "mps"),
            "Use auto, cpu, or an accelerator that torch supports, such as cuda.",
        )
        raise UserError(f"{name!r} is not a device. {hint}")
    return kind, _available_index(kind, index, build)


def _known(kind: str) -> bool:
    """Whether torch knows this device type."""
    try:
        return torch.device(kind).type == kind and kind != "meta"
    except RuntimeError:
        return False


def _available_index(kind: str, index: int, build: TorchBuild) -> int:
    no_device = f"No {kind.upper()} device: this torch"
    if kind == HOST:
        raise UserError("There is one CPU device: cpu. Choose its cores with taskset and --threads.")
    if build.accelerator is None:
        raise UserError(f"{no_device} is a CPU build ({build.version}). {_remedy(kind)} {_INSTEAD}")
    if kind != build.accelerator:
        raise UserError(f"{no_device} ({build.version}) is built for {build.built_for}. {_INSTEAD}")
    if not build.devices:
        reason = build.reason or "no device found"
        raise UserError(f"{no_device} ({build.version}) is built for {build.built_for}, but: {reason}. {_INSTEAD}")
    if index >= build.devices:
        names = f"{kind}:0" if build.devices == 1 else f"{kind}:0 to {kind}:{build.devices - 1}"
        raise UserError(f"No device {kind}:{index}: this machine has {names}.")
    return index


def _remedy(kind: str) -> str:
    return f"Install a build of torch for {kind.upper()} (see pytorch.org)."
