"""Find the jobs of a sweep that an earlier sweep has already done.

A job is done if a complete record has the same workload and the same
environment (equal fingerprints).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from backbone_bench.jobs.job import Job, is_quick
from backbone_bench.records import Missing, Record, fingerprint, was_requested
from backbone_bench.run.messages import ResolvedJob

Resolve = Callable[[Sequence[Job]], Sequence[ResolvedJob | None]]


def already_done(jobs: Sequence[Job], records: Sequence[Record], resolve: Resolve) -> Sequence[Record | None]:
    """For each job the latest record that answers it; None for a job that has not run yet or failed.

    `resolve` resolves jobs on this machine; it is called only for jobs that
    have a candidate record.
    """
    candidates = [(place, record) for place, job in enumerate(jobs) for record in records if answers(record, job)]
    resolved = resolve([_with_batch(jobs[place], record) for place, record in candidates]) if candidates else ()
    found: dict[int, Record] = {}
    for (place, record), here in zip(candidates, resolved, strict=True):
        if here is not None and _same_fingerprint(record, here):
            found[place] = record
    return [found.get(place) for place in range(len(jobs))]


def answers(record: Record, job: Job) -> bool:
    """Whether a record has everything that the job asks for, on whatever machine it was made."""
    if not job.asks_for(record.workload) or isinstance(record.cost, Missing):
        return False
    if (job.batch == "auto") != ("auto_batch" in record.flags):
        return False
    return _has_latency(record, job) and _has_energy(record, job)


def _has_latency(record: Record, job: Job) -> bool:
    if not job.latency:
        return True
    if isinstance(record.latency, Missing):
        return False
    return job.quick or not is_quick(record.latency)


def _has_energy(record: Record, job: Job) -> bool:
    if job.energy == "off":
        return True
    if not isinstance(record.energy, Missing):
        return _has_runs(record, job)
    return job.energy == "auto" and was_requested(record.energy) and record.energy.missing != "failed"


def _has_runs(record: Record, job: Job) -> bool:
    """Whether the energy is of the runs that the job asks for; without a graph, that of a waiting caller is all."""
    has_graph = not isinstance(record.latency, Missing) and not isinstance(record.latency.graph, Missing)
    match job.energy_of:
        case "both":
            return record.wall_energy is not None
        case "wall":
            return record.energy_mode == "wall"
        case "graph":
            return record.energy_mode == "graph" or not (job.latency and has_graph)


def _with_batch(job: Job, record: Record) -> Job:
    """The job with the record's batch in place of `auto`, so that resolving it needs no search for the largest."""
    return replace(job, batch=record.workload.batch) if job.batch == "auto" else job


def _same_fingerprint(record: Record, here: ResolvedJob) -> bool:
    made = fingerprint.digest(record.workload, record.environment)
    return made == fingerprint.digest(here.workload, here.environment)


def jobs_again(records: Sequence[Record], resolve: Resolve) -> Sequence[Job]:
    """The job that repeats each record; its inputs are spelt out only if the record did not use the model's own."""
    explicit = [Job.from_record(record) for record in records]
    default = [replace(job, inputs=()) for job in explicit]
    return [
        own if here is not None and here.workload == record.workload else full
        for record, own, full, here in zip(records, default, explicit, resolve(default), strict=True)
    ]
