"""The calibration sets: what they measure, and how well the default one does on the records of the first GPU."""

import pytest

from backbone_bench import UserError
from backbone_bench.predictor import choose, sets
from backbone_bench.predictor.learn import misfit
from backbone_bench.predictor.line import fit_time
from backbone_bench.zoo import catalogue

ROWS = choose("h200").calibration.rows


def test_the_networks_of_the_zoo_are_there():
    assert set(sets.DEFAULT) | set(sets.QUICK) | set(sets.MORE["depthwise"]) <= catalogue.entries().keys()


def test_more_networks_follow_the_set():
    assert sets.networks(quick=True, more=["depthwise"]) == ("resnet50", "mobilenetv2", "vovnetv2_19_dw")
    with pytest.raises(UserError, match="depthwise and attention"):
        sets.networks(quick=False, more=["spikes"])


def test_a_cpu_is_refused():
    sets.check_device(host=False)
    with pytest.raises(UserError, match=r"results/predict-cpu\.md"):
        sets.check_device(host=True)


@pytest.mark.parametrize(("models", "within"), [(sets.DEFAULT, {1: 0.06, 32: 0.05}), (sets.QUICK, {1: 0.09, 32: 0.06})])
def test_a_set_predicts_the_networks_that_it_does_not_have(models, within):
    """Without a start value from anywhere but the rows; resnet50 alone knows nothing of grouped convolutions."""
    learnt = [row for row in ROWS if row.model in models and row.side == 224]
    assert len({(row.model, row.batch) for row in learnt}) == 2 * len(models)
    constants = fit_time(learnt, "graph")
    for batch, bound in within.items():
        others = [
            abs(misfit(row, constants))
            for row in ROWS
            if row.batch == batch
            and row.model not in sets.DEFAULT
            and (row.grouped_flops == 0 or constants.grouped_flop_s is not None)
        ]
        assert len(others) >= 10
        assert sum(others) / len(others) < bound
