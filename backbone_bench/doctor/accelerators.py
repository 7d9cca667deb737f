"""Diagnosis of the accelerators: torch's build, its devices, and NVML's readings of each card."""

from collections.abc import Iterator

from backbone_bench.doctor.here import AcceleratorReport, MachineReport
from backbone_bench.doctor.lines import DoctorLine, missing_line
from backbone_bench.doctor.probe import probe, refreshed
from backbone_bench.measure.energy.counting import STILL
from backbone_bench.measure.energy.load import OptionalTrace
from backbone_bench.measure.energy.sources import card_meter
from backbone_bench.measure.machine import system
from backbone_bench.measure.nvml import reasons
from backbone_bench.measure.nvml.card import Card, known
from backbone_bench.measure.nvml.watch import CardWatcher
from backbone_bench.records import Known, Missing


def lines(machine: MachineReport) -> Iterator[DoctorLine]:
    """One line about torch's build, then all lines about each device."""
    yield _build(machine)
    for device in machine.accelerators:
        yield from _device(device, machine)


def _build(machine: MachineReport) -> DoctorLine:
    torch = machine.torch
    built = f"torch {torch.version}"
    if torch.devices:
        return DoctorLine("accelerator", "good", f"{built} for {torch.built_for}, devices: {torch.devices}")
    if torch.accelerator is None:
        version = system.nvidia_module(machine.files)
        driver = f", although the NVIDIA driver {version} is loaded" if version else ""
        remedy = "If there is a GPU, install a build of torch for CUDA, ROCm or XPU (see pytorch.org)."
        return DoctorLine("accelerator", "missing", f"{built} is a CPU build{driver}", remedy)
    remedy = "Check the driver (nvidia-smi, rocminfo, xpu-smi), and that this process may see the device."
    found = f"{built} is built for {torch.built_for}: {torch.reason or 'no device'}"
    return DoctorLine("accelerator", "missing", found, remedy)


def _device(device: AcceleratorReport, machine: MachineReport) -> Iterator[DoctorLine]:
    name = device.name
    yield DoctorLine(name, "good", device.title)
    yield _works(f"{name} events", device.events, "device time can be measured")
    yield _works(f"{name} graphs", device.graphs, "can be captured and replayed")
    if isinstance(device.card, Missing):
        yield missing_line(f"{name} NVML", device.card)
        return
    card = device.card
    yield _library(f"{name} NVML", card)
    yield DoctorLine(
        f"{name} MIG",
        "weak" if card.sliced else "good",
        "on: this process has only a slice of the card" if card.sliced else "off",
    )
    yield _energy(f"{name} energy", card)
    yield _activity(f"{name} activity", card)
    yield _clocks(f"{name} clocks", card, root=machine.root)
    yield _power_limit(f"{name} power limit", card)
    yield _persistence(f"{name} persistence", card)
    yield _processes(f"{name} processes", card)


def _works(topic: str, answer: Known[None], found: str) -> DoctorLine:
    return missing_line(topic, answer) if isinstance(answer, Missing) else DoctorLine(topic, "good", found)


def _library(topic: str, card: Card) -> DoctorLine:
    driver, library = known(card.driver), known(card.library)
    if isinstance(driver, Missing):
        return missing_line(topic, driver)
    if isinstance(library, Missing):
        return missing_line(topic, library)
    return DoctorLine(topic, "good", f"driver {driver}, library {library}")


def _energy(topic: str, card: Card) -> DoctorLine:
    """Power sources of a card. Weak if no energy counter works; missing if the device is a MIG slice."""
    meter = card_meter(card)
    if isinstance(meter, Missing):
        return missing_line(topic, meter)
    traces = probe(meter.sources, card.clock)
    working = [trace for trace in traces if trace.failure is None and (trace.source.unit == "W" or trace.changes)]
    failed = [_failure(trace) for trace in traces if trace not in working]
    if not working:
        return missing_line(topic, failed[0])
    found = ", ".join(f"{trace.source.name} {refreshed(trace)}" for trace in working)
    if working[0].source.unit == "J":
        return DoctorLine(topic, "good", found)
    return DoctorLine(topic, "weak", f"{found}, but no energy counter", failed[0].message)


def _activity(topic: str, card: Card) -> DoctorLine:
    """Whether the card counts the bytes that its memory moves. An older one is not weak: there is nothing to mend."""
    counted = known(card.counts_activity)
    if isinstance(counted, Missing):
        return missing_line(topic, counted, "weak")
    if not counted:
        return DoctorLine(topic, "good", f"not counted: {reasons.no_activity(card.name).message}")
    return DoctorLine(topic, "good", "memory traffic and busy multiprocessors are counted during energy windows")


def _failure(trace: OptionalTrace) -> Missing:
    return trace.failure or STILL


def _clocks(topic: str, card: Card, *, root: bool) -> DoctorLine:
    now, most = known(card.sm_clock_hz), known(card.max_sm_clock_hz)
    if isinstance(now, Missing):
        return missing_line(topic, now, "weak")
    if isinstance(most, Missing):
        return missing_line(topic, most, "weak")
    found = f"SM {now / 1e6:.0f} of {most / 1e6:.0f} MHz"
    if root:
        return DoctorLine(topic, "good", f"{found}; --lock-clocks can lock them")
    return DoctorLine(
        topic, "weak", f"{found}; only root may lock them", "sudo nvidia-smi -lgc tdp,tdp before, and -rgc after."
    )


def _power_limit(topic: str, card: Card) -> DoctorLine:
    limit, default = known(card.power_limit_w), known(card.default_power_limit_w)
    if isinstance(limit, Missing):
        return missing_line(topic, limit, "weak")
    if isinstance(default, Missing) or limit >= default:
        return DoctorLine(topic, "good", f"{limit:.0f} W")
    return DoctorLine(topic, "weak", f"{limit:.0f} of {default:.0f} W", f"sudo nvidia-smi -pl {default:.0f}")


def _persistence(topic: str, card: Card) -> DoctorLine:
    persistence = known(card.persistence)
    if isinstance(persistence, Missing):
        return missing_line(topic, persistence, "weak")
    if persistence:
        return DoctorLine(topic, "good", "on")
    return DoctorLine(topic, "weak", "off: the driver unloads between runs", "sudo nvidia-smi -pm 1")


def _processes(topic: str, card: Card) -> DoctorLine:
    watch = CardWatcher(card)
    watch.poll()
    watched = watch.verdict()
    others = watched if isinstance(watched, Missing) else watched.other_processes
    if isinstance(others, Missing):
        return missing_line(topic, others, "weak")
    if others:
        return DoctorLine(
            topic, "weak", f"other processes use the card: {others}", "Stop them, or choose another card."
        )
    return DoctorLine(topic, "good", "no other process uses the card")
