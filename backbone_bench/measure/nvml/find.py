"""From a device of torch to its card and its watch."""

import torch

from backbone_bench.base.choices import is_host
from backbone_bench.measure.clock import HostClock
from backbone_bench.measure.nvml.card import Card, Identity, open_card
from backbone_bench.measure.nvml.watch import CardWatcher, NoWatcher
from backbone_bench.records import Known, Missing


def identity(device_name: str) -> Known[Identity]:
    """What torch says of a device; Missing for what NVML does not know: a CPU, ROCm, another maker."""
    if is_host(device_name):
        return Missing("no_nvml", "A CPU has no NVML: there are no clocks, heat or throttle reasons to watch.")
    device = torch.device(device_name)
    if device.type != "cuda" or torch.version.hip:
        return Missing("not_nvidia", f"{device_name} is not an NVIDIA GPU: its clocks and power are not read yet.")
    properties = torch.cuda.get_device_properties(device)
    return Identity(properties.name, str(properties.uuid), _pci(properties))


def _pci(properties: object) -> str | None:
    # Older builds of torch do not tell the bus address.
    parts = [getattr(properties, f"pci_{part}_id", None) for part in ("domain", "bus", "device")]
    if None in parts:
        return None
    domain, bus, slot = parts
    return f"{domain:08X}:{bus:02X}:{slot:02X}.0"


def card_for(device_name: str) -> Known[Card]:
    """The card behind a device."""
    wanted = identity(device_name)
    return wanted if isinstance(wanted, Missing) else open_card(wanted, HostClock())


def watch_for(device_name: str, *, locked: bool = False) -> CardWatcher | NoWatcher:
    """A watch over a device; one that answers Missing where there is nothing to look through."""
    card = card_for(device_name)
    return NoWatcher(card) if isinstance(card, Missing) else CardWatcher(card, locked=locked)
