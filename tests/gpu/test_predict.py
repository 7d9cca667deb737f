"""A calibration of the real GPU, and what it predicts of a network that it has not seen."""

import math

from backbone_bench import profiler
from backbone_bench.jobs.job import Job
from backbone_bench.predictor import choose, learn, predict, sets
from backbone_bench.predictor.calibration import CalibrationOrigin
from backbone_bench.predictor.rows import rows_of
from backbone_bench.records import Missing, ModelCost, Record, known
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD


def measured(model: str, batch: int) -> Record:
    job = Job(model, {}, input_size=224, batch=batch, device=NAME, quick=True, budget_s=1.5, energy="off")
    return profiler.profile(job, lambda phase, share: None, lambda record: None)


def recount(record: Record) -> ModelCost:
    raise AssertionError("this version counts shapes")


def test_resnet50_at_two_batches_tells_what_resnet18_takes(show):
    """The quick set knows no family but this one, so its band is the shipped one, and it must hold here too."""
    rows = [measured(name, batch) for name in sets.QUICK for batch in sets.BATCHES]
    taken = rows_of("here", rows, CalibrationOrigin("measured", "this test"), recount)
    made = learn.calibration(taken, choose("h200").calibration.bands)
    for batch in sets.BATCHES:
        record = measured("resnet18", batch)
        found = predict(record, choose("h200")._replace(calibration=made), records=[record])
        assert not isinstance(found.error, Missing)
        assert not isinstance(found.time.high, Missing)
        ratio = found.time.high / found.time.value
        show(f"batch {batch}: predicted {100 * known(found.error):+.1f} %, band ±{100 * (ratio - 1):.0f} %")
        assert abs(math.log1p(found.error)) < 2 * math.log(ratio)
