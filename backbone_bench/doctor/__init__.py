"""Diagnosis of this machine for `bench doctor`: what it can measure, how well, and a remedy for each problem.

It takes some seconds per device, because it polls every power source at idle to find its refresh period.
"""

from backbone_bench.doctor import accelerators, host
from backbone_bench.doctor.here import MachineReport, this_machine
from backbone_bench.doctor.lines import DoctorLine

__all__ = ["DoctorLine", "can_measure", "examine"]


def examine(machine: MachineReport | None = None) -> tuple[DoctorLine, ...]:
    """Diagnose a machine, this one by default: the lines of the host, then those of the accelerators."""
    machine = machine or this_machine()
    return (*host.lines(machine), *accelerators.lines(machine))


def can_measure(lines: tuple[DoctorLine, ...]) -> bool:
    """Whether at least the CPU can be timed."""
    return any(line.topic == host.TIMING and line.grade != "missing" for line in lines)
