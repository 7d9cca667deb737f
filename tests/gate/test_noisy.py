"""The decision rule for measured quantities, on hand-made rounds."""

import math
from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from backbone_bench.gate.noisy import RoundPlan, Series, SeriesKey, Spread, decide, judge, min_detectable_effect
from backbone_bench.gate.verdicts import GateVerdict

WALL = SeriesKey("net", "wall_s")
QUIET = (-0.002, 0.001, 0.0, 0.002, -0.001)


def series(change: float, noise: Collection[float] = QUIET, **settings: object) -> Series:
    """Rounds around a change, at a threshold of 3 %."""
    return Series(tuple(math.log1p(change) + one for one in noise), 0.03, **settings)  # type: ignore[arg-type]


def verdict(one: Series) -> GateVerdict:
    return judge({WALL: one})[WALL].verdict


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (0.0, GateVerdict.PASS),
        (0.02, GateVerdict.PASS),  # significantly slower, but allowed
        (0.06, GateVerdict.REGRESSED),
        (-0.02, GateVerdict.PASS),
        (-0.06, GateVerdict.IMPROVED),
    ],
)
def test_on_a_quiet_machine_the_change_decides(change, expected):
    assert verdict(series(change)) is expected


def test_noise_that_allows_both_is_inconclusive_however_large_the_change():
    assert verdict(series(0.10, noise=(-0.3, 0.3, 0.0, 0.25, -0.25))) is GateVerdict.INCONCLUSIVE


def test_one_process_a_side_says_nothing_without_a_calibration():
    assert verdict(series(0.5, noise=(0.0,))) is GateVerdict.INCONCLUSIVE
    assert verdict(series(0.5, noise=(0.0,), known=Spread(0.01, 9))) is GateVerdict.REGRESSED
    assert verdict(series(0.02, noise=(0.0,), known=Spread(0.1, 9))) is GateVerdict.INCONCLUSIVE
    assert verdict(series(0.0, noise=(0.0,), known=Spread(0.01, 9))) is GateVerdict.PASS


def test_the_bounds_of_one_round_are_one_sided_at_95_percent_by_the_noise_of_its_calibration():
    half = t.ppf(0.95, 9) * 0.02
    found = series(0.05, noise=(0.0,), known=Spread(0.02, 9)).ratio()
    assert found == pytest.approx((1.05, 1.05 * math.exp(-half), 1.05 * math.exp(half)))


def test_a_calibration_does_not_outvote_the_rounds_themselves():
    assert verdict(series(0.06, known=Spread(1.0, 9))) is GateVerdict.REGRESSED


def test_many_tests_together_ask_for_more_proof_of_each():
    borderline = series(0.06, noise=(-0.05, 0.05, 0.0, 0.03, -0.03))
    alone = judge({WALL: borderline})[WALL].verdict
    among = judge({WALL: borderline} | {SeriesKey(f"other{n}", "wall_s"): series(0.0) for n in range(40)})[WALL].verdict
    assert (alone, among) == (GateVerdict.REGRESSED, GateVerdict.INCONCLUSIVE)


def test_what_is_for_information_costs_the_others_no_proof():
    borderline = series(0.06, noise=(-0.05, 0.05, 0.0, 0.03, -0.03))
    others = {SeriesKey(f"other{n}", "device_s"): series(0.0, informal=True) for n in range(40)}
    assert judge({WALL: borderline} | others)[WALL].verdict is GateVerdict.REGRESSED


@given(st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=10), st.floats(0.0, 0.2))
def test_a_slower_head_never_turns_a_regression_into_a_pass(noise, more):
    order = [GateVerdict.IMPROVED, GateVerdict.PASS, GateVerdict.INCONCLUSIVE, GateVerdict.REGRESSED]
    before, after = (verdict(Series(tuple(one + extra for one in noise), 0.03)) for extra in (0.0, more))
    if {before, after} <= {GateVerdict.PASS, GateVerdict.REGRESSED}:
        assert order.index(after) >= order.index(before)


class Machine:
    """Returns the given series in order, and keeps the subjects of each request."""

    def __init__(self, **batches: list[Series]) -> None:
        self._batches = batches
        self.requested: list[tuple[str, ...]] = []

    def measure(self, subjects: Collection[str], rounds: int) -> Mapping[SeriesKey, Series]:
        self.requested.append(tuple(subjects))
        return {SeriesKey(subject, "wall_s"): self._batches[subject].pop(0) for subject in subjects}


def test_what_clearly_passes_is_measured_once():
    machine = Machine(net=[series(0.0)])
    decide(machine.measure, ["net"], RoundPlan())
    assert machine.requested == [("net",)]


def test_only_what_is_unclear_is_measured_further_and_all_rounds_count():
    machine = Machine(still=[series(0.0)], moved=[series(0.025, noise=(-0.02, 0.02)), series(0.0, noise=(-0.02, 0.02))])
    decided = decide(machine.measure, ["still", "moved"], RoundPlan(confirm=False))
    assert machine.requested == [("still", "moved"), ("moved",)]
    assert len(decided[SeriesKey("moved", "wall_s")].series.changes) == 4


def test_a_regression_must_be_there_again():
    gone = Machine(net=[series(0.06), series(0.06), series(0.0)])
    stays = Machine(net=[series(0.06) for _ in range(4)])
    assert decide(gone.measure, ["net"], RoundPlan())[WALL].verdict is GateVerdict.INCONCLUSIVE
    assert decide(stays.measure, ["net"], RoundPlan())[WALL].verdict is GateVerdict.REGRESSED


def test_more_noise_hides_more():
    effects = [
        min_detectable_effect(series(0.0, noise=[scale * one for one in QUIET]), RoundPlan()) or 0.0
        for scale in (1, 10, 100)
    ]
    assert effects == sorted(effects)
    assert effects[0] == pytest.approx(0.03, abs=0.002)  # without noise, the threshold itself
    assert min_detectable_effect(series(0.0, noise=(0.0,)), RoundPlan()) is None


def test_further_rounds_of_what_is_for_information_are_not_taken_on_its_account():
    unclear = series(0.025, noise=(-0.02, 0.02), informal=True)
    machine = Machine(net=[unclear, unclear])
    decide(machine.measure, ["net"], RoundPlan(confirm=False))
    assert machine.requested == [("net",)]


def test_the_detectable_change_is_that_of_all_rounds_that_a_plan_may_take():
    noisy = series(0.0, noise=[10 * one for one in QUIET])
    assert min_detectable_effect(noisy, RoundPlan(rounds=5, double=True)) == min_detectable_effect(
        noisy, RoundPlan(rounds=10, double=False)
    )
