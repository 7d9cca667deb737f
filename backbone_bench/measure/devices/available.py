"""From a name to a device: `auto`, `cpu`, or whatever accelerator torch has, with an index as in `cuda:1`."""

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
    """What this torch and this machine have together."""

    version: str
    accelerator: str | None  # the type that this torch was built for
    devices: int  # of this type, that answer
    built_for: str = ""  # the version of CUDA or ROCm
    reason: str = ""  # in the driver's words, why no device answers


def probe() -> TorchBuild:
    """Ask torch; what it warns about is in `reason`."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        accelerator = torch.accelerator.current_accelerator()
        available = torch.accelerator.is_available()
        count = torch.accelerator.device_count() if available else 0
    kind = accelerator.type if accelerator else None
    reason = "" if available or kind is None else _why_not(kind) or (str(said[0].message) if said else "")
    return TorchBuild(torch.__version__, kind, count, _built_for() or kind or "", reason)


def _built_for() -> str:
    for name, version in (("CUDA", torch.version.cuda), ("ROCm", torch.version.hip)):
        if version:
            return f"{name} {version}"
    return ""


def _why_not(kind: str) -> str:
    """What the backend says when it is asked to start."""
    try:
        torch.empty(1, device=kind)
    except (RuntimeError, AssertionError) as error:
        return first_line(error)
    return ""


def resolve(name: str, here: TorchBuild | None = None) -> Device:
    """The device of this name; raise UserError where there is none, with what is missing and what to do."""
    here = here or probe()
    kind, index = parse(name, here)
    if kind == HOST:
        return Host()
    device = torch.device(kind, index)
    return Cuda(device) if kind == "cuda" else Accelerator(device)


def parse(name: str, here: TorchBuild) -> tuple[str, int]:
    """Type and index of a device that is here."""
    match = re.fullmatch(r"([a-z]\w*)(?::([0-9]{1,9}))?", name)
    kind, index = (match[1], int(match[2] or 0)) if match else (name, 0)
    if kind == "auto" and match and match[2] is None:
        return (here.accelerator, 0) if here.accelerator and here.devices else (HOST, 0)
    if kind == HOST and index == 0:
        return HOST, 0
    if match is None or not _known(kind):
        hint = did_you_mean(name, ("auto", "cpu", "cuda", "xpu", "mps"), "Use auto, cpu, or an accelerator of torch.")
        raise UserError(f"{name!r} is no device. {hint}")
    return kind, _present(kind, index, here)


def _known(kind: str) -> bool:
    """Whether torch has such a type of device at all."""
    try:
        return torch.device(kind).type == kind and kind != "meta"
    except RuntimeError:
        return False


def _present(kind: str, index: int, here: TorchBuild) -> int:
    none = f"No {kind.upper()} device: this torch"
    if kind == HOST:
        raise UserError("There is one CPU device: cpu. Choose its cores with taskset and --threads.")
    if here.accelerator is None:
        raise UserError(f"{none} is a CPU build ({here.version}). {_remedy(kind)} {_INSTEAD}")
    if kind != here.accelerator:
        raise UserError(f"{none} ({here.version}) is built for {here.built_for}. {_INSTEAD}")
    if not here.devices:
        said = here.reason or "it finds none"
        raise UserError(f"{none} ({here.version}) is built for {here.built_for}, and says: {said}. {_INSTEAD}")
    if index >= here.devices:
        there = f"{kind}:0" if here.devices == 1 else f"{kind}:0 to {kind}:{here.devices - 1}"
        raise UserError(f"No device {kind}:{index}: this machine has {there}.")
    return index


def _remedy(kind: str) -> str:
    return f"Install a build of torch for {kind.upper()} (pytorch.org says which)."
