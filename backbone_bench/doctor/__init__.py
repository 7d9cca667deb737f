"""What of this machine can be measured, how well, and how to mend what cannot.

It takes some seconds a device: the refresh of every power source is probed, at rest.
"""

from backbone_bench.doctor import accelerators, host
from backbone_bench.doctor.here import MachineReport, here
from backbone_bench.doctor.lines import DoctorLine

__all__ = ["DoctorLine", "can_measure", "examine"]


def examine(place: MachineReport | None = None) -> tuple[DoctorLine, ...]:
    """Every line, the host's first."""
    place = place or here()
    return (*host.lines(place), *accelerators.lines(place))


def can_measure(lines: tuple[DoctorLine, ...]) -> bool:
    """Whether at least the CPU can be timed."""
    return any(line.topic == host.TIMING and line.grade != "missing" for line in lines)
