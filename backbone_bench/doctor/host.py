"""The host: processor, clock, load, memory, energy."""

from collections.abc import Iterator

from backbone_bench.doctor.here import MachineReport
from backbone_bench.doctor.lines import DoctorLine, absent
from backbone_bench.doctor.probe import probe, refreshed
from backbone_bench.measure.energy.rapl import host_meter
from backbone_bench.measure.machine import system
from backbone_bench.records import Missing

TIMING = "CPU timing"  # the line that decides whether anything can be measured
COARSE_S = 1e-6  # of a clock: a hundredth of the shortest calls
BUSY_SHARE = 0.25  # of the cores
LITTLE_BYTES = 2 * 1024**3  # the larger networks at batch 1 with all they need


def lines(here: MachineReport) -> Iterator[DoctorLine]:
    """Every line about the host."""
    yield DoctorLine("versions", "good", ", ".join(f"{name} {version}" for name, version in here.versions.items()))
    cores = f"{here.affinity} of {here.cores} cores"
    yield DoctorLine("CPU", "good", f"{system.cpu(here.files)}, {here.capability}, {cores}")
    yield _timing(here)
    yield _governor(here)
    yield _load(here)
    yield _memory(here)
    yield _energy(here)
    if system.wsl(here.files):
        yield DoctorLine(
            "system", "weak", "WSL: whether others use the GPU is not known", "Measure under Linux itself."
        )


def _timing(here: MachineReport) -> DoctorLine:
    if isinstance(here.timer_s, Missing):
        return absent(TIMING, here.timer_s)
    found = f"clock of {here.timer_s * 1e9:.0f} ns"
    if here.timer_s <= COARSE_S:
        return DoctorLine(TIMING, "good", found)
    return DoctorLine(TIMING, "weak", found, "Trust no call shorter than a hundred of these: raise --batch-size.")


def _governor(here: MachineReport) -> DoctorLine:
    governor = system.governor(here.files)
    if isinstance(governor, Missing):
        return absent("CPU governor", governor)
    if governor == "performance":
        return DoctorLine("CPU governor", "good", governor)
    return DoctorLine("CPU governor", "weak", governor, "sudo cpupower frequency-set -g performance")


def _load(here: MachineReport) -> DoctorLine:
    load = system.load_average(here.files)
    if isinstance(load, Missing):
        return absent("CPU load", load)
    found = f"{load:.2f} threads on {here.affinity} cores in the last minute"
    if load <= BUSY_SHARE * here.affinity:
        return DoctorLine("CPU load", "good", found)
    return DoctorLine("CPU load", "weak", found, "Wait until the machine is idle, or measure with fewer --threads.")


def _memory(here: MachineReport) -> DoctorLine:
    total, free = system.memory_bytes(here.files), system.available_bytes(here.files)
    if isinstance(total, Missing):
        return absent("memory", total)
    if isinstance(free, Missing):
        return absent("memory", free)
    found = f"{free / 1024**3:.1f} of {total / 1024**3:.1f} GiB free"
    if free >= LITTLE_BYTES:
        return DoctorLine("memory", "good", found)
    return DoctorLine("memory", "weak", found, "Larger networks will not fit: close something.")


def _energy(here: MachineReport) -> DoctorLine:
    meter = host_meter(here.clock, here.files)
    if isinstance(meter, Missing):
        return absent("CPU energy", meter)
    (tape,) = probe(meter.sources, here.clock)
    if tape.failure:
        return absent("CPU energy", tape.failure)
    if tape.changes:
        return DoctorLine("CPU energy", "good", f"RAPL, {refreshed(tape)}")
    return DoctorLine("CPU energy", "missing", "RAPL is there and does not move", "Measure on the host itself.")
