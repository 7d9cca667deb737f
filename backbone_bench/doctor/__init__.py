"""What of this machine can be measured, how well, and how to mend what cannot.

It takes some seconds a device: the refresh of every power source is probed, at rest.
"""

from backbone_bench.doctor import accelerators, host
from backbone_bench.doctor.here import Here, here
from backbone_bench.doctor.lines import Line

__all__ = ["Line", "can_measure", "examine"]


def examine(place: Here | None = None) -> tuple[Line, ...]:
    """Every line, the host's first."""
    place = place or here()
    return (*host.lines(place), *accelerators.lines(place))


def can_measure(lines: tuple[Line, ...]) -> bool:
    """Whether at least the CPU can be timed."""
    return any(line.topic == host.TIMING and line.grade != "missing" for line in lines)
