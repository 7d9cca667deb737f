"""The shipped calibration of the first GPU: it is what its records give, and as good as it says."""

import math
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from scipy.stats import spearmanr

from backbone_bench import profiler
from backbone_bench.jobs.job import Job
from backbone_bench.predictor import choose, predict
from backbone_bench.predictor.calibration import Constants, DeviceCalibration
from backbone_bench.predictor.learn import RowsOf, calibration, left_out, misfit
from backbone_bench.predictor.shipped import shipped
from backbone_bench.records import known, store

H200 = choose("h200").calibration
FOLDER = Path(__file__).parents[2] / "results" / "records" / "h200"


def taken(of: DeviceCalibration) -> RowsOf:
    idle_w = None if of.energy is None else of.energy.idle_w
    return RowsOf(of.name, of.time, of.origin, of.conditions, of.kinds, of.groups, of.rows, idle_w)


def values(constants: Constants) -> list[float]:
    return [constants.of(name) for name in ("step_s", "launch_s", "dense_flop_s", "grouped_flop_s", "byte_s")]


@pytest.mark.parametrize("of", shipped(), ids=str)
def test_a_refit_of_the_rows_gives_the_constants(of):
    again = calibration(taken(of))
    assert values(again.constants) == pytest.approx(values(of.constants), rel=0.01)
    assert (again.energy is None) == (of.energy is None)
    if of.energy is not None and again.energy is not None and of.host is not None and again.host is not None:
        assert again.energy.flop_j == pytest.approx(of.energy.flop_j, rel=0.01)
        assert again.energy.byte_j == pytest.approx(of.energy.byte_j, rel=0.01)
        assert again.host.launch_s == pytest.approx(of.host.launch_s, rel=0.01)


def test_the_rows_are_those_of_the_records():
    records = store.read(sorted(FOLDER.glob("*.jsonl")), lambda message: pytest.fail(message))
    networks = {record.id: record for record in records if record.workload.source == "zoo"}
    assert {row.record for row in H200.rows} == networks.keys()
    for row in H200.rows:
        record = networks[row.record or ""]
        assert (row.flops, row.ops) == (known(record.cost).flops, known(record.cost).ops)
        assert row.traffic_bytes == known(record.cost).traffic_bytes
        assert row.time_s == pytest.approx(known(known(record.latency).graph).median_s, rel=1e-5)


@cache
def errors(batch: int) -> dict[str, float]:
    """Error of each row at a batch when its family is left out."""
    return {
        f"{row.model} {row.inputs} {row.record}": math.expm1(one.value)
        for row, one in left_out(taken(H200))
        if row.batch == batch
    }


@pytest.mark.parametrize("batch", [1, 32])
def test_an_unseen_family_is_predicted_within_8_percent_in_the_mean(batch):
    found = errors(batch)
    assert len(found) == {1: 29, 32: 14}[batch]
    assert sum(map(abs, found.values())) / len(found) < 0.08


@pytest.mark.parametrize("of", ["time", "wall", "energy"])
def test_the_90_percent_band_covers_85_percent_of_families_that_it_was_made_without(of):
    bands = [band for band in H200.bands if band.of == of]
    assert [band.batch for band in bands] == ([32] if of == "energy" else [1, 32])
    assert all(band.coverage is not None and band.coverage >= 0.85 for band in bands)


@pytest.mark.parametrize(("batch", "rho"), [(1, 0.98), (32, 0.93)])
def test_it_orders_networks_as_they_are_and_as_no_count_does(batch, rho):
    rows = [row for row in H200.rows if row.batch == batch]
    measured = [row.time_s for row in rows]
    predicted = [row.time_s * (1 + misfit(row, H200.constants)) for row in rows]
    assert spearmanr(predicted, measured).statistic > rho
    for count in ("flops", "traffic_bytes", "ops"):
        assert spearmanr([getattr(row, count) for row in rows], measured).statistic < rho


@pytest.mark.parametrize(("batch", "share"), [(1, 0.98), (32, 0.95)])
def test_of_pairs_that_differ_by_a_tenth_nearly_all_come_out_in_order(batch, share):
    tested = [(row, one.value) for row, one in left_out(taken(H200)) if row.batch == batch]
    times = [(row.time_s, row.time_s * math.exp(error)) for row, error in tested]
    apart = [(a, b) for a, b in combinations(times, 2) if abs(math.log(a[0] / b[0])) > math.log(1.1)]
    right = [(a[0] < b[0]) == (a[1] < b[1]) for a, b in apart]
    assert sum(right) / len(right) > share


@pytest.mark.parametrize(
    ("model", "batch", "milliseconds", "joules"),
    [("resnet50", 1, 2.224, None), ("resnet50", 32, 10.03, 0.1832), ("vgg19", 1, 2.381, None),
     ("vgg19", 32, 27.89, 0.5581), ("densenet121", 1, 4.167, None)],
)  # fmt: skip
def test_golden_rows(model, batch, milliseconds, joules):
    found = predict(profiler.count(Job(model, {}, batch=batch)), choose("h200"))
    assert found.time.value * 1e3 == pytest.approx(milliseconds, rel=0.005)
    assert abs(known(found.error)) < 0.15
    if joules is not None:
        assert known(found.image).value == pytest.approx(joules, rel=0.005)


def test_vgg19_is_faster_than_densenet121_at_batch_1_though_it_has_seven_times_the_flops():
    vgg, densenet = (predict(profiler.count(Job(model, {})), choose("h200")) for model in ("vgg19", "densenet121"))
    assert vgg.time.value < densenet.time.value
    assert vgg.bound_by == densenet.bound_by == "reduction depth"
