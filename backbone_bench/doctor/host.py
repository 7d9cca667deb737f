"""Diagnosis of the host: processor, clock, load, memory, energy."""

from collections.abc import Iterator

from backbone_bench.base.torch_versions import NEWEST_TRIED, faults, number
from backbone_bench.doctor.here import MachineReport
from backbone_bench.doctor.lines import DoctorLine, missing_line
from backbone_bench.doctor.probe import probe, refreshed
from backbone_bench.measure.energy.rapl import host_meter
from backbone_bench.measure.machine import system
from backbone_bench.records import Missing

TIMING = "CPU timing"  # the line that decides whether anything can be measured
COARSE_S = 1e-6  # resolution of a coarse clock: 1 % of the shortest calls
BUSY_SHARE = 0.25  # load per core above which the host is busy
LITTLE_BYTES = 2 * 1024**3  # enough for the larger networks at batch 1


def lines(machine: MachineReport) -> Iterator[DoctorLine]:
    """All lines about the host."""
    yield DoctorLine("versions", "good", ", ".join(f"{name} {version}" for name, version in machine.versions.items()))
    yield from _torch(machine)
    cores = f"{machine.affinity} of {machine.cores} cores"
    yield DoctorLine("CPU", "good", f"{system.cpu(machine.files)}, {machine.capability}, {cores}")
    yield _timing(machine)
    yield _governor(machine)
    yield _load(machine)
    yield _memory(machine)
    yield _energy(machine)
    if system.wsl(machine.files):
        yield DoctorLine(
            "system", "weak", "WSL: whether other processes use the GPU is not known", "Measure on Linux itself."
        )


def _torch(machine: MachineReport) -> Iterator[DoctorLine]:
    """One line per known fault of this torch, or one that says how well this version is known."""
    version = machine.torch.version
    known_wrong = faults(version, machine.torch.cudnn)
    for fault in known_wrong:
        yield DoctorLine("torch", "weak", f"{version}: {fault.what}", fault.remedy)
    if known_wrong:
        return
    if number(version) <= NEWEST_TRIED:
        yield DoctorLine("torch", "good", f"{version}, without a known fault")
        return
    newest = ".".join(map(str, NEWEST_TRIED))
    yield DoctorLine(
        "torch",
        "weak",
        f"{version} is newer than the newest that the tests ran with, {newest}",
        "Compare `bench count --all` with results/static.md, or install a torch that was tried.",
    )


def _timing(machine: MachineReport) -> DoctorLine:
    if isinstance(machine.timer_s, Missing):
        return missing_line(TIMING, machine.timer_s)
    found = f"clock resolution {machine.timer_s * 1e9:.0f} ns"
    if machine.timer_s <= COARSE_S:
        return DoctorLine(TIMING, "good", found)
    return DoctorLine(
        TIMING, "weak", found, "Calls shorter than 100 clock steps are not timed reliably: raise --batch-size."
    )


def _governor(machine: MachineReport) -> DoctorLine:
    governor = system.governor(machine.files)
    if isinstance(governor, Missing):
        return missing_line("CPU governor", governor)
    if governor == "performance":
        return DoctorLine("CPU governor", "good", governor)
    return DoctorLine("CPU governor", "weak", governor, "sudo cpupower frequency-set -g performance")


def _load(machine: MachineReport) -> DoctorLine:
    load = system.load_average(machine.files)
    if isinstance(load, Missing):
        return missing_line("CPU load", load)
    found = f"{load:.2f} threads on {machine.affinity} cores in the last minute"
    if load <= BUSY_SHARE * machine.affinity:
        return DoctorLine("CPU load", "good", found)
    return DoctorLine("CPU load", "weak", found, "Wait until the machine is idle, or measure with fewer --threads.")


def _memory(machine: MachineReport) -> DoctorLine:
    total, free = system.memory_bytes(machine.files), system.available_bytes(machine.files)
    if isinstance(total, Missing):
        return missing_line("memory", total)
    if isinstance(free, Missing):
        return missing_line("memory", free)
    found = f"{free / 1024**3:.1f} of {total / 1024**3:.1f} GiB free"
    if free >= LITTLE_BYTES:
        return DoctorLine("memory", "good", found)
    return DoctorLine("memory", "weak", found, "Larger networks will not fit: close other programs.")


def _energy(machine: MachineReport) -> DoctorLine:
    meter = host_meter(machine.clock, machine.files)
    if isinstance(meter, Missing):
        return missing_line("CPU energy", meter)
    (trace,) = probe(meter.sources, machine.clock)
    if trace.failure:
        return missing_line("CPU energy", trace.failure)
    if trace.changes:
        return DoctorLine("CPU energy", "good", f"RAPL, {refreshed(trace)}")
    return DoctorLine("CPU energy", "missing", "The RAPL counter does not change", "Measure on the host itself.")
