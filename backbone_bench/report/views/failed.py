"""Rows of jobs that failed before they had a record: they keep their place in a table, with the reason."""

from collections.abc import Sequence

from backbone_bench.jobs.job import Job
from backbone_bench.records import NOT_REQUESTED, Missing, Record, TensorSpec, Workload, source_of
from backbone_bench.zoo import catalogue


def row(job: Job, message: str, finished: Sequence[Record]) -> Record:
    """The row of a failed job in a table of finished records; it says what was asked for, and is stored nowhere."""
    like = min(finished, key=lambda record: (record.workload.precision != job.precision, not _is_on(record, job)))
    batch = like.workload.batch if job.batch == "auto" else job.batch
    setting = {**job.setting, "threads": job.threads or like.workload.threads}
    missing = Missing("failed", message.partition("\n")[0].rstrip("."))
    return Record(
        id="",
        started_utc=like.started_utc,
        tool=like.tool,
        workload=Workload(**setting, source=source_of(job.model), inputs=_inputs(job, batch), batch=batch),
        environment=like.environment,
        cost=missing,
        latency=_unless_left_out(like.latency, missing),
        memory=_unless_left_out(like.memory, missing),
        energy=_unless_left_out(like.energy, missing),
        watch=_unless_left_out(like.watch, missing),
        placement=like.placement,
    )


def _unless_left_out(part: object, missing: Missing) -> Missing:
    """Why a part is missing: it failed, unless the other rows were not asked for it either."""
    return NOT_REQUESTED if part == NOT_REQUESTED else missing


def _is_on(record: Record, job: Job) -> bool:
    """Whether a record may be of the device that the job asked for."""
    return job.device == "auto" or record.environment.device.startswith(job.device)


def _inputs(job: Job, batch: int) -> tuple[str, ...]:
    """The inputs that the job asked for, or those that a network of the zoo takes; none if they are not known."""
    if job.inputs:
        return tuple(str(TensorSpec.parse(text).batched(batch)) for text in job.inputs)
    entry = catalogue.entries().get(job.model)
    channels, side, _ = entry.input if entry else (3, None, None)
    side = job.input_size or side
    return () if side is None else (str(TensorSpec((batch, channels, side, side))),)
