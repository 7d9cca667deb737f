"""Which jobs of a sweep an earlier one has answered already: the same workload, in the same circumstances, whole."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from backbone_bench.jobs.job import Job, is_quick
from backbone_bench.records import Missing, Record, fingerprint, was_asked
from backbone_bench.run.messages import ResolvedJob

Resolve = Callable[[Sequence[Job]], Sequence[ResolvedJob | None]]


def already_done(jobs: Sequence[Job], records: Sequence[Record], locate: Resolve) -> Sequence[Record | None]:
    """For each job the latest record that answers it; None for a job that is still to be run, or failed.

    `locate` says what jobs come to on this machine; only those are asked about
    that some record may be the answer to.
    """
    candidates = [(place, record) for place, job in enumerate(jobs) for record in records if answers(record, job)]
    here = locate([_settled(jobs[place], record) for place, record in candidates]) if candidates else ()
    found: dict[int, Record] = {}
    for (place, record), where in zip(candidates, here, strict=True):
        if where is not None and _same(record, where):
            found[place] = record
    return [found.get(place) for place in range(len(jobs))]


def answers(record: Record, job: Job) -> bool:
    """Whether a record has everything that the job asks for, wherever it was made."""
    if not job.asks_for(record.workload) or isinstance(record.cost, Missing):
        return False
    if (job.batch == "auto") != ("auto_batch" in record.flags):
        return False
    return _timed(record, job) and _metered(record, job)


def _timed(record: Record, job: Job) -> bool:
    if not job.latency:
        return True
    if isinstance(record.latency, Missing):
        return False
    return job.quick or not is_quick(record.latency)


def _metered(record: Record, job: Job) -> bool:
    if job.energy == "off" or not isinstance(record.energy, Missing):
        return True
    return job.energy == "auto" and was_asked(record.energy) and record.energy.missing != "failed"


def _settled(job: Job, record: Record) -> Job:
    """The job with the batch that was found the largest, so that it can be located without a search."""
    return replace(job, batch=record.workload.batch) if job.batch == "auto" else job


def _same(record: Record, here: ResolvedJob) -> bool:
    made = fingerprint.digest(record.workload, record.environment)
    return made == fingerprint.digest(here.workload, here.environment)


def jobs_again(records: Sequence[Record], locate: Resolve) -> Sequence[Job]:
    """The job of each record: with the model's own inputs where these are what was run, else with them spelt out."""
    spelt = [Job.from_record(record) for record in records]
    own = [replace(job, inputs=()) for job in spelt]
    return [
        bare if here is not None and here.workload == record.workload else full
        for record, bare, full, here in zip(records, own, spelt, locate(own), strict=True)
    ]
