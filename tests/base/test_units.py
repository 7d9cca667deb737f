"""The text of a number: it reads back as the number, with the digits that count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base import units
from backbone_bench.base.units import PLAIN, Unit

UNITS = [value for value in vars(units).values() if isinstance(value, Unit)]


@given(st.sampled_from(UNITS), st.floats(1e-12, 1e15) | st.integers(1, 10**15))
def test_what_is_written_reads_back_as_the_value_and_never_as_nothing(unit: Unit, value: float):
    text = unit.write(value)
    assert float(text) == pytest.approx(value * unit.per_base, rel=0.05)
    assert float(text) > 0
    assert "e" not in text


@given(st.integers(0, 10**18))
def test_what_was_counted_one_by_one_is_written_whole(count: int):
    assert int(PLAIN.write(count)) == count


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (units.BILLIONS, 7_072_227_328, "7.072"),
        (units.MILLIONS, 22_600_296, "22.600"),
        (units.MILLISECONDS, 0.0510234, "51.02"),
        (units.MILLISECONDS, 2.5, "2500"),
        (units.PERCENT, 0.0043, "0.43"),
        (units.PERCENT, 0.123, "12.3"),
        (units.MILLISECONDS, 0.0, "0"),
    ],
)
def test_the_digits_that_count_are_shown(unit: Unit, value: float, text: str):
    assert unit.write(value) == text
