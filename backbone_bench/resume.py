"""Which jobs of a sweep an earlier one has answered already: the same workload, in the same circumstances, whole."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from backbone_bench.gate import fingerprint
from backbone_bench.jobs import Job
from backbone_bench.messages import Here
from backbone_bench.records import Missing, Record

Locate = Callable[[Sequence[Job]], Sequence[Here | None]]


def unanswered(jobs: Iterable[Job], records: Sequence[Record], locate: Locate) -> Sequence[Job]:
    """The jobs that are still to be run.

    A row that failed is run again. `locate` says what jobs come to on this
    machine; only those are asked about that some record may be the answer to.
    """
    jobs = tuple(jobs)
    candidates = [(job, record) for job in jobs for record in records if answers(record, job)]
    here = locate([_settled(job, record) for job, record in candidates])
    over = [job for (job, record), place in zip(candidates, here, strict=True) if place and _same(record, place)]
    return [job for job in jobs if job not in over]


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
    modes = (record.latency.wall, record.latency.device, record.latency.graph)
    hasty = any(not isinstance(mode, Missing) and mode.status == "quick" for mode in modes)
    return job.quick or not hasty


def _metered(record: Record, job: Job) -> bool:
    if job.energy == "off" or not isinstance(record.energy, Missing):
        return True
    return job.energy == "auto" and record.energy.missing not in ("not_asked", "failed")


def _settled(job: Job, record: Record) -> Job:
    """The job with the batch that was found the largest, so that it can be located without a search."""
    return replace(job, batch=record.workload.batch) if job.batch == "auto" else job


def _same(record: Record, here: Here) -> bool:
    made = fingerprint.digest(record.workload, record.environment)
    return made == fingerprint.digest(here.workload, here.environment)
