"""A sweep as a program that a test can signal or kill: `parent.py FILE COUNT MODEL`; `stand_in` is its worker."""

import sys
from functools import partial
from pathlib import Path

from backbone_bench.base import signals
from backbone_bench.jobs.job import Job
from backbone_bench.records import store
from backbone_bench.run import resume, runner, sweep
from tests.run.test_isolation import STAND_IN, silent


def main(path: Path, count: int, model: str) -> int:
    jobs = [Job(model, {}, seed=seed) for seed in range(count)]
    found = store.read([path], warn=print) if path.exists() else ()
    records = resume.already_done(jobs, found, partial(runner.resolve, worker=STAND_IN))
    left = [job for job, record in zip(jobs, records, strict=True) if record is None]
    run = partial(runner.run_isolated, worker=STAND_IN)
    with signals.handled():
        return sweep.sweep(left, run, lambda number, job: silent, lambda row: keep(path, row)).exit_code


def keep(path: Path, row: runner.JobResult) -> None:
    assert row.record is not None
    store.append(path, row.record)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
