"""The accelerators: what torch finds, what its devices can, and what NVML tells of each card."""

from collections.abc import Iterator

from backbone_bench.doctor.here import AcceleratorReport, MachineReport
from backbone_bench.doctor.lines import DoctorLine, absent
from backbone_bench.doctor.probe import probe, refreshed
from backbone_bench.measure.energy.load import OptionalTrace
from backbone_bench.measure.energy.sources import card_meter
from backbone_bench.measure.energy.windows import STILL
from backbone_bench.measure.machine import system
from backbone_bench.measure.nvml.card import Card, known
from backbone_bench.measure.nvml.watch import CardWatcher
from backbone_bench.records import Known, Missing


def lines(here: MachineReport) -> Iterator[DoctorLine]:
    """A line on torch's build, then every line about each device."""
    yield _build(here)
    for device in here.accelerators:
        yield from _device(device, here)


def _build(here: MachineReport) -> DoctorLine:
    torch = here.torch
    built = f"torch {torch.version}"
    if torch.devices:
        return DoctorLine("accelerator", "good", f"{built} for {torch.built_for}, devices: {torch.devices}")
    if torch.accelerator is None:
        loaded = system.nvidia_module(here.files)
        driver = f", though the NVIDIA driver {loaded} is loaded" if loaded else ""
        remedy = "Install a build of torch for CUDA, ROCm or XPU, if there is such a device (pytorch.org says which)."
        return DoctorLine("accelerator", "missing", f"{built} is a CPU build{driver}", remedy)
    remedy = "See what the driver says (nvidia-smi, rocminfo, xpu-smi), and whether this process may see the device."
    found = f"{built} is built for {torch.built_for}: {torch.reason or 'no device'}"
    return DoctorLine("accelerator", "missing", found, remedy)


def _device(device: AcceleratorReport, here: MachineReport) -> Iterator[DoctorLine]:
    name = device.name
    yield DoctorLine(name, "good", device.title)
    yield _works(f"{name} events", device.events, "device time is measured")
    yield _works(f"{name} graphs", device.graphs, "captured and replayed")
    if isinstance(device.card, Missing):
        yield absent(f"{name} NVML", device.card)
        return
    card = device.card
    yield _library(f"{name} NVML", card)
    yield DoctorLine(f"{name} MIG", "weak" if card.sliced else "good", "on: this is a slice" if card.sliced else "off")
    yield _energy(f"{name} energy", card)
    yield _clocks(f"{name} clocks", card, root=here.root)
    yield _power_limit(f"{name} power limit", card)
    yield _persistence(f"{name} persistence", card)
    yield _company(f"{name} processes", card)


def _works(topic: str, answer: Known[None], found: str) -> DoctorLine:
    return absent(topic, answer) if isinstance(answer, Missing) else DoctorLine(topic, "good", found)


def _library(topic: str, card: Card) -> DoctorLine:
    driver, library = known(card.driver), known(card.library)
    if isinstance(driver, Missing):
        return absent(topic, driver)
    if isinstance(library, Missing):
        return absent(topic, library)
    return DoctorLine(topic, "good", f"driver {driver}, library {library}")


def _energy(topic: str, card: Card) -> DoctorLine:
    """The best source that answers; weak where it is no counter, or power is that of more than our slice."""
    meter = card_meter(card)
    if isinstance(meter, Missing):
        return absent(topic, meter)
    traces = probe(meter.sources, card.clock)
    answers = [trace for trace in traces if trace.failure is None and (trace.source.unit == "W" or trace.changes)]
    failed = [_failure(trace) for trace in traces if trace not in answers]
    if not answers:
        return absent(topic, failed[0])
    found = ", ".join(f"{trace.source.name} {refreshed(trace)}" for trace in answers)
    if answers[0].source.unit == "J":
        return DoctorLine(topic, "good", found)
    return DoctorLine(topic, "weak", f"{found}, but no counter", failed[0].message)


def _failure(trace: OptionalTrace) -> Missing:
    return trace.failure or STILL


def _clocks(topic: str, card: Card, *, root: bool) -> DoctorLine:
    now, most = known(card.sm_clock_hz), known(card.max_sm_clock_hz)
    if isinstance(now, Missing):
        return absent(topic, now, "weak")
    if isinstance(most, Missing):
        return absent(topic, most, "weak")
    found = f"SM {now / 1e6:.0f} of {most / 1e6:.0f} MHz"
    if root:
        return DoctorLine(topic, "good", f"{found}; --lock-clocks can hold them")
    return DoctorLine(
        topic, "weak", f"{found}; only root may hold them", "sudo nvidia-smi -lgc tdp,tdp before, -rgc after."
    )


def _power_limit(topic: str, card: Card) -> DoctorLine:
    limit, default = known(card.power_limit_w), known(card.default_power_limit_w)
    if isinstance(limit, Missing):
        return absent(topic, limit, "weak")
    if isinstance(default, Missing) or limit >= default:
        return DoctorLine(topic, "good", f"{limit:.0f} W")
    return DoctorLine(topic, "weak", f"{limit:.0f} of {default:.0f} W", f"sudo nvidia-smi -pl {default:.0f}")


def _persistence(topic: str, card: Card) -> DoctorLine:
    answer = known(card.persistence)
    if isinstance(answer, Missing):
        return absent(topic, answer, "weak")
    if answer:
        return DoctorLine(topic, "good", "on")
    return DoctorLine(topic, "weak", "off: the driver unloads between runs", "sudo nvidia-smi -pm 1")


def _company(topic: str, card: Card) -> DoctorLine:
    watch = CardWatcher(card)
    watch.poll()
    seen = watch.verdict()
    others = seen if isinstance(seen, Missing) else seen.other_processes
    if isinstance(others, Missing):
        return absent(topic, others, "weak")
    if others:
        return DoctorLine(topic, "weak", f"{others} others use the card", "Stop them, or choose another card.")
    return DoctorLine(topic, "good", "nobody else uses the card")
