"""The trial on a CPU: the line against counts, over networks that the calibration set does not have."""

from dataclasses import replace

import pytest
from scipy.stats import spearmanr

from backbone_bench import profiler
from backbone_bench.jobs.job import Job
from backbone_bench.predictor import choose, sets
from backbone_bench.predictor.bounds import outside
from backbone_bench.predictor.calibration import CalibrationRow
from backbone_bench.predictor.counts import Counts
from backbone_bench.predictor.rows import family_of
from backbone_bench.records import Latencies, Missing, known
from tests.report import samples
from tools import cpu_predictions
from tools.cpu_predictions import HELD_OUT, RIVALS, Trial

ROWS = choose("h200").calibration.rows


def trial(time_s) -> Trial:
    """The rows of the first GPU, as if a CPU had taken this time for each."""
    rows = [(replace(row, time_s=time_s(row)), row.flops // 100) for row in ROWS]
    learnt, tested = ([one for one in rows if (one[0].model in sets.DEFAULT) is inside] for inside in (True, False))
    return Trial(tuple(learnt), tuple(tested), "a CPU")


def on_a_line(row: CalibrationRow) -> float:
    return 5e-11 * row.flops + 1e-10 * row.traffic_bytes + 2e-5 * row.ops


def test_a_load_that_is_not_known_is_the_worst():
    wall = samples.latency(0.1)
    assert cpu_predictions.load(samples.record("resnet50", 1, 0.1)) == 0.01
    unknown = replace(wall, host_load=Missing("not_read", "not read"))
    latencies = samples.record("resnet50", 1, 0.1).latency
    assert isinstance(latencies, Latencies)
    assert cpu_predictions.load(samples.record("resnet50", 1, 0.1, latency=replace(latencies, wall=unknown))) == 1


def test_twenty_networks_or_more_are_held_out():
    assert len(HELD_OUT) >= 20
    assert not set(HELD_OUT) & set(sets.DEFAULT)


def test_where_time_is_a_line_the_line_finds_it_and_no_count_does():
    found = trial(on_a_line)
    assert cpu_predictions.is_better(found)
    told = {one.name: one for one in cpu_predictions.accuracies(found) if one.batch == "1 and 32"}
    assert told["the line"].mean < 0.02
    assert told["FLOPs"].mean > 0.05


def test_where_time_is_flops_the_line_is_refused_unless_it_is_nearer():
    """Both are exact there, to the pull of the start values: the verdict is that of the numbers, whatever they are."""
    found = trial(lambda row: 5e-11 * row.flops)
    told = {one.name: one for one in list(cpu_predictions.accuracies(found))[-len(RIVALS) :]}
    nearer = all(told["the line"].mean < other.mean for name, other in told.items() if name != "the line")
    assert cpu_predictions.is_better(found) == nearer


def test_the_rank_correlation_is_that_of_scipy():
    found = trial(on_a_line)
    errors = cpu_predictions.errors(found, RIVALS[1])
    told = next(one for one in cpu_predictions.accuracies(found) if (one.name, one.batch) == ("FLOPs", "1 and 32"))
    predicted = [row.time_s * (1 + error) for row, error in errors.items()]
    assert told.rho == pytest.approx(spearmanr(predicted, [row.time_s for row in errors]).statistic)


@pytest.mark.skipif(not (cpu_predictions.ROOT / cpu_predictions.RECORDS).exists(), reason="nothing was measured")
def test_the_page_says_what_the_records_say_and_the_program_does():
    found = cpu_predictions.trial(cpu_predictions._records())
    assert len({row.model for row, _ in found.tested}) >= 20
    assert cpu_predictions.is_better(found) == sets.HOST_IS_ACCEPTED
    assert (cpu_predictions.ROOT / cpu_predictions.PAGE).read_text(encoding="utf-8") == cpu_predictions.page()


def test_every_network_held_out_lies_inside_the_range_of_the_set():
    counted = {name: profiler.count(Job(name, {}, input_size=224)) for name in (*sets.DEFAULT, *HELD_OUT)}
    rows = tuple(
        CalibrationRow(
            model=name,
            family=family_of(record.workload),
            inputs=record.workload.inputs,
            batch=1,
            **Counts.of(known(record.cost))._asdict(),
            time_s=1.0,
        )
        for name, record in counted.items()
        if name in sets.DEFAULT
    )
    kinds = {row.op for name in sets.DEFAULT for row in known(counted[name].cost).by_op}
    set_of_cpu = replace(choose("h200").calibration, time="wall", rows=rows, kinds=tuple(kinds))
    assert {name: outside(counted[name], set_of_cpu) for name in HELD_OUT} == dict.fromkeys(HELD_OUT, ())
