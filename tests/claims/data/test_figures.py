"""Published numbers, parsed with the precision of their last digit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data import figures


@pytest.mark.parametrize(
    ("text", "value", "half"),
    [("4.1G", 4.1e9, 5e7), ("25.6 M", 25.6e6, 5e4), ("4089184256", 4089184256, 0.5), ("3.85e9", 3.85e9, 5e6),
     ("70k", 7e4, 500), ("19.6B", 19.6e9, 5e7)],
)  # fmt: skip
def test_a_figure_has_a_value_and_half_of_its_last_digit(text, value, half):
    assert figures.parse(text) == pytest.approx((value, half))


@pytest.mark.parametrize("text", ["", "G", "4,1G", "-3", "4.1GG", "four", "0x10", "1e999", "9" * 400, "٤G"])
def test_what_is_no_figure_is_refused_in_one_line(text):
    with pytest.raises(UserError, match="is not a figure"):
        figures.parse(text)


@given(st.floats(1e4, 1e15))
def test_what_is_written_reads_back_within_its_last_digit(value):
    assert figures.parse(figures.amount(value)).value == pytest.approx(value, rel=5.1e-4)


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.02", 0.02), ("1.5 %", 0.015)])
def test_a_tolerance_is_a_share(text, share):
    assert figures.parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["about 2", "0", "0%", "9" * 400, "1" + " " * 100_000 + "x"])
def test_a_tolerance_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="tolerance"):
        figures.parse_share(text)
