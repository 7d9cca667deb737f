"""Numbers as papers write them: parsed with the precision of their last digit, and written with a unit prefix."""

import math
import re
from typing import NamedTuple

from backbone_bench.base.errors import UserError

SCALES = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_DIGITS = "[0-9]{1,30}"
_FORM = re.compile(rf"({_DIGITS})(?:\.({_DIGITS}))?(?:[eE]\+?([0-9]{{1,2}}))?\s?([kKMGBT]?)")
_SHARE = re.compile(rf"({_DIGITS}(?:\.{_DIGITS})?)\s?(%?)")


class PublishedNumber(NamedTuple):
    """A published number and half a unit of its last digit."""

    value: float
    half_digit: float


def parse(text: str) -> PublishedNumber:
    """Parse a number such as `4.1G`, `25.6 M`, `4089184256` or `4.1e9`. Raises UserError.

    >>> parse("25.6M")
    PublishedNumber(value=25600000.0, half_digit=50000.0)
    """
    match = re.fullmatch(_FORM, text.strip())
    if match is None:
        raise UserError(f"{text!r} is not a figure: write it as 4.1G, 25.6M or 4089184256.")
    whole, decimals, exponent, letter = match.groups()
    scale = SCALES[letter] * 10.0 ** int(exponent or 0)
    return PublishedNumber(float(f"{whole}.{decimals or 0}") * scale, scale * 0.5 * 10.0 ** -len(decimals or ""))


def parse_share(text: str) -> float:
    """Parse a tolerance: `2%`, `2 %` and `0.02` are all 0.02. Raises UserError."""
    match = re.fullmatch(_SHARE, text.strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not share:
        raise UserError(f"{text!r} is not a tolerance: write it as 2% or 0.02.")
    return share


def amount(value: float) -> str:
    """Format a number with four significant digits and a unit prefix: `3.858 G`; no prefix below 10 000.

    >>> amount(3_858_000_000), amount(39), amount(-0.0789), amount(70_144)
    ('3.858 G', '39', '-0.0789', '70.14 k')
    """
    size = abs(value)
    if size < 1e4:
        return f"{value:.4g}"
    scale, letter = next(pair for pair in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if size >= pair[0])
    scaled = value / scale
    return f"{scaled:.{max(0, 3 - math.floor(math.log10(abs(scaled))))}f} {letter}"


def percent(share: float) -> str:
    """Format a difference as a signed percentage.

    >>> percent(-0.0789)
    '-7.89 %'
    """
    return f"{share * 100:+.3g} %"
