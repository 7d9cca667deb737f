"""Units and the text of numbers: base units inside the program, the unit of the column heading in its output.

A cell holds a number and nothing else, so that printed numbers can be parsed
again: no exponents, no thousands separators.
"""

from math import floor, log10
from typing import NamedTuple


def significant(value: float, digits: int) -> str:
    """The number with at least so many significant digits, and with every digit before the decimal point."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, digits - 1 - _magnitude(value))}f}"


def _magnitude(value: float) -> int:
    return floor(log10(abs(value)))


class Unit(NamedTuple):
    """The unit in a column heading, and its conversion factor: one base unit is `per_base` of it."""

    name: str
    per_base: float = 1
    decimals: int | None = None  # None: four significant digits, for quantities that span decades

    def write(self, value: float) -> str:
        """The number in this unit: it reads 0 only if it is 0, and a count in units of one stays a whole number."""
        if isinstance(value, int) and self.per_base == 1:
            return str(value)
        scaled = value * self.per_base
        if self.decimals is None or value == 0:
            return significant(scaled, 4)
        return f"{scaled:.{max(self.decimals, 1 - _magnitude(scaled))}f}"


PLAIN = Unit("")
MILLIONS = Unit("M", 1e-6, 3)
M_ELEMENTS = Unit("M elements", 1e-6, 3)
BILLIONS = Unit("G", 1e-9, 3)
MEGABYTES = Unit("MB", 1e-6, 1)
MILLISECONDS = Unit("ms", 1e3)
PERCENT = Unit("%", 100, 1)
MILLIJOULES = Unit("mJ", 1e3)


def span(seconds: float) -> str:
    """A duration for people: `40 s`, `2 min`, `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def percent(ratio: float | None, *, signed: bool = True) -> str:
    """A ratio as the change from one: 1.083 is `+8.3 %`, None is `–`."""
    if ratio is None:
        return "–"
    return f"{100 * (ratio - 1):{'+' if signed else ''}.1f} %".replace("-", "−")


def difference(value: int, unit: Unit, title: str = "") -> str:
    """A signed difference with its unit: `+0.058 G FLOPs`; empty for zero."""
    if not value:
        return ""
    sign = "+" if value > 0 else "−"
    return " ".join(filter(None, (f"{sign}{unit.write(abs(value))}", unit.name, title)))
