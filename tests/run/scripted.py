"""Rounds without processes, for tests of what is made of them."""

from backbone_bench.run.live import SideFailed


def rounds_of(run):
    """In the place of `live.take_round`: each side is run by `run`, which returns a `JobResult`."""

    def take_round(sides, seed, on_progress, plan):
        outcomes = [run(side.job, on_progress) for side in sides]
        for place, outcome in enumerate(outcomes):
            if outcome.failure is not None:
                raise SideFailed(place, outcome.job, outcome.failure)
        return tuple(outcome.record for outcome in outcomes)

    return take_round
