"""The NVML card and the watcher of a torch device."""

import torch

from backbone_bench.base.choices import is_host
from backbone_bench.measure.clock import HostClock
from backbone_bench.measure.nvml.card import Card, Identity, open_card
from backbone_bench.measure.nvml.watch import CardWatcher, NoWatcher
from backbone_bench.records import Known, Missing


def identity(device_name: str) -> Known[Identity]:
    """Identity of a GPU as torch gives it. Missing for devices unknown to NVML: a CPU, ROCm, other vendors."""
    if is_host(device_name):
        return Missing("no_nvml", "A CPU has no NVML: clocks, temperature and throttling are not watched.")
    device = torch.device(device_name)
    if device.type != "cuda" or torch.version.hip:
        return Missing(
            "not_nvidia", f"{device_name} is not an NVIDIA GPU: reading its clocks and power is not supported yet."
        )
    properties = torch.cuda.get_device_properties(device)
    return Identity(properties.name, str(properties.uuid), _pci(properties))


def _pci(properties: object) -> str | None:
    # Older builds of torch do not report the bus address.
    parts = [getattr(properties, f"pci_{part}_id", None) for part in ("domain", "bus", "device")]
    if None in parts:
        return None
    domain, bus, slot = parts
    return f"{domain:08X}:{bus:02X}:{slot:02X}.0"


def card_for(device_name: str) -> Known[Card]:
    """The NVML card of a torch device; Missing with the reason if there is none."""
    found = identity(device_name)
    return found if isinstance(found, Missing) else open_card(found, HostClock())


def watch_for(device_name: str, *, locked: bool = False, partners: int = 0) -> CardWatcher | NoWatcher:
    """Watcher of a device; `partners` are processes that take turns with this one, and are no others.

    If NVML cannot see the device, the verdict of the watcher is Missing.
    """
    card = card_for(device_name)
    return NoWatcher(card) if isinstance(card, Missing) else CardWatcher(card, locked=locked, partners=partners)
