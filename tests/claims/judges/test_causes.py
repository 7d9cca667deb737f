"""Each cause of a difference explains the figures that it is the cause of, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.claims.data.verdicts import CheckFinding, ClaimVerdict
from backbone_bench.claims.judges.causes import causes
from tests.claims.data.test_files import file, judge

HOLDS, EXPLAINED, FAILS = ClaimVerdict.HOLDS, ClaimVerdict.EXPLAINED, ClaimVerdict.FAILS


def finding(expected: float, tolerance: str, subject: str = 'metric = "flops"\nof = "small"') -> CheckFinding:
    """The finding for a figure, by default for the FLOPs of a network of 2 M FLOPs."""
    allowed = f'tolerance = {{ {tolerance}, why = "so" }}'
    outcome = judge(file(f'kind = "count"\n{subject}\nexpected = {expected}\n{allowed}'))
    return outcome.judged[0].finding


@pytest.mark.parametrize(
    ("expected", "digit", "verdict", "cause"),
    [
        (2.0e6, 1e5, HOLDS, ""),
        (1.86e6, 1e4, EXPLAINED, "2^30"),  # 2 / 1.0737 is 1.8626
        (1.863e6, 1e3, EXPLAINED, "2^30"),
        (1.9e6, 1e5, FAILS, ""),  # 1.8626 rounds to it too, but two digits are chance
        (1.88e6, 1e4, FAILS, ""),
        (4.0e6, 1e5, EXPLAINED, "as two"),
        (1.0e6, 1e5, EXPLAINED, "as one"),
        (1.6e6, 5e5, EXPLAINED, "cut"),  # steps of half a million: from 1.6 to below 2.1
        (2.1e6, 1e5, FAILS, ""),  # a figure that is cut is never above the count
    ],
)
def test_a_figure_of_known_digits_is_explained_by_what_gives_these_digits(expected, digit, verdict, cause):
    found = finding(expected, f"digit = {digit}")
    assert found.verdict is verdict
    assert cause in found.reason


def test_without_a_known_last_digit_no_figure_is_cut_and_none_is_of_2_to_the_30():
    assert finding(1.6e6, "absolute = 2.5e5").verdict is FAILS
    assert finding(1.86e6, "relative = 0.002").verdict is FAILS


@given(st.integers(100, 9999), st.integers(0, 2))
def test_a_figure_with_two_digits_swapped_is_explained(number, place):
    digits = str(number)
    place = min(place, len(digits) - 2)
    swapped = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
    one = f'metric = "params"\nof = {{ name = "one", layers = [{{ ci = {number}, co = 1 }}] }}'
    verdict = finding(int(swapped), "digit = 1", one).verdict
    if swapped == digits:
        assert verdict is HOLDS
    elif swapped[0] != "0":
        assert verdict is EXPLAINED


@pytest.mark.parametrize(("expected", "verdict"), [(2.5, HOLDS), (5.0, EXPLAINED), (1.25, EXPLAINED), (3.0, FAILS)])
def test_one_of_two_networks_that_is_counted_twice_explains_a_ratio(expected, verdict):
    subjects = 'metric = "flops"\nof = "large"\nto = "small"'
    text = f'kind = "ratio"\n{subjects}\nexpected = {expected}\ntolerance = {{ digit = 0.01, why = "so" }}'
    found = judge(file(text)).judged[0].finding
    assert found.verdict is verdict
    assert ("one is counted with two" in found.reason) == (verdict is EXPLAINED)


def test_every_cause_has_an_id_of_its_own():
    assert len({cause.id for cause in causes()}) == len(causes())
