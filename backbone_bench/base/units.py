"""Units and the text of numbers: base units inside the program, the unit of the column heading in its output.

A cell holds a number and nothing else, so that printed numbers can be parsed
again: no exponents, no thousands separators.
"""

from collections.abc import Iterable
from math import floor, log10
from typing import NamedTuple


def significant(value: float, digits: int) -> str:
    """The number with at least so many significant digits, and with every digit before the decimal point."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")  # 0.99996 has the digits of 1.000
    return f"{value:.{max(0, digits - 1 - _magnitude(rounded))}f}"


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

    def write_known(self, value: float, half_width: float) -> str:
        """The number with the digits that an interval of this half-width leaves certain, at most those of `write`.

        The last digit is the first of the half-width, or its second if the first is a 1.

        >>> MILLISECONDS.write_known(0.0032784, 0.000052), MILLISECONDS.write_known(0.0032784, 0.000015)
        ('3.28', '3.278')
        """
        text = self.write(value)
        if not value or half_width <= 0 or "." not in text:
            return text
        scaled = half_width * self.per_base
        first = int(scaled / 10 ** _magnitude(scaled) + 1e-9)
        decimals = max(0, (first == 1) - _magnitude(scaled), -_magnitude(value * self.per_base))
        return f"{value * self.per_base:.{min(decimals, len(text.partition('.')[2]))}f}"


PLAIN = Unit("")
MILLIONS = Unit("M", 1e-6, 3)
M_ELEMENTS = Unit("M elements", 1e-6, 3)
BILLIONS = Unit("G", 1e-9, 3)
MEGABYTES = Unit("MB", 1e-6, 1)
MILLISECONDS = Unit("ms", 1e3)
PERCENT = Unit("%", 100, 1)
MILLIJOULES = Unit("mJ", 1e3)


# Units of one kind, the largest first. A column is written in its own unit, or in a smaller one for small values.
_COUNTS = (BILLIONS, MILLIONS, Unit("k", 1e-3, 3), PLAIN)
_LADDERS = (
    _COUNTS,
    (M_ELEMENTS, Unit("k elements", 1e-3, 3), Unit("elements")),
    (MEGABYTES, Unit("kB", 1e-3, 1), Unit("B")),
    (MILLISECONDS, Unit("µs", 1e6)),
    (MILLIJOULES, Unit("µJ", 1e6)),
)


def readable(unit: Unit, values: Iterable[float]) -> Unit:
    """Choose the unit of a column: its own, or a smaller one if its values would read `0.00045`.

    >>> readable(MILLIONS, [450]).name, readable(MILLIONS, [450, 25_557_032]).name, readable(MILLIONS, [2e5, 2e7]).name
    ('', 'k', 'M')
    """
    known = [abs(value) for value in values if value]
    ladder = next((ladder for ladder in _LADDERS if unit in ladder), (unit,))
    smaller = ladder[ladder.index(unit) :]
    if not known:
        return unit
    largest = 1 if ladder is _COUNTS else 0.1
    fits = (one for one in smaller if max(known) * one.per_base >= largest and min(known) * one.per_base >= 0.01)
    return next(fits, smaller[-1])


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
    """A signed difference with its unit, or a smaller one: `+58.000 M FLOPs`; empty for zero."""
    if not value:
        return ""
    sign, shown = "+" if value > 0 else "−", readable(unit, [value])
    return " ".join(filter(None, (f"{sign}{shown.write(abs(value))}", shown.name, title)))
