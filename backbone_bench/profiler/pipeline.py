"""Count and measure one job and return its record. Only this module uses all counters and meters."""

import gc
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from backbone_bench import cost
from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.base.program import __version__, commit, now_utc
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.cost.chance import Chance
from backbone_bench.cost.fit import smallest_image
from backbone_bench.cost.training import TrainingStep
from backbone_bench.jobs.job import Job
from backbone_bench.measure import environment
from backbone_bench.measure.call import precision
from backbone_bench.measure.call.step import prepared, set_mode
from backbone_bench.measure.devices import available, fitting
from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.latency import meter as latency_meter
from backbone_bench.measure.latency import plan as latency_plan
from backbone_bench.measure.latency.plan import LatencyPlan
from backbone_bench.measure.nvml.find import watch_for
from backbone_bench.measure.protocols import Device
from backbone_bench.profiler import energy, layers
from backbone_bench.profiler.model_commit import model_commit
from backbone_bench.profiler.subject import Subject
from backbone_bench.profiler.turns import Turns
from backbone_bench.records import (
    NOT_REQUESTED,
    PENDING,
    Environment,
    Missing,
    ModelCost,
    Record,
    Tool,
    Workload,
)
from backbone_bench.zoo import user
from backbone_bench.zoo.depth import recursion_told
from backbone_bench.zoo.sources import NO_MODEL, InMemoryModel, Loaded


def count(job: Job, in_memory: InMemoryModel = NO_MODEL) -> Record:
    """Count the model of a job, without arithmetic, weights or device.

    `in_memory` is the model, if a program has it already.
    """
    subject = Subject(job, in_memory)
    with precision.untouched(), recursion_told(job.model):
        with Chance().seeded(job.seed):  # a factory may make random choices too
            loaded = subject.build_on_meta()
        record = _record(subject.workload(None, loaded), environment.read("meta"), NOT_REQUESTED)
        record = replace(_with_commit(record), cost=_cost(subject, loaded), flags=loaded.inputs.flags)
        return _cross_checked(subject, loaded, record) if job.cross_check else record


def profile(
    job: Job,
    on_progress: ProgressCallback,
    keep: Callable[[Record], object],
    in_memory: InMemoryModel = NO_MODEL,
    turns: Turns | None = None,
) -> Record:
    """Count and measure a job. `keep` gets the record whenever more of it is known, because the next step may crash.

    With `turns`, the latency is taken in the bursts that another process asks for.

    Raises UserError for a mistake that the user can correct, CouldNotMeasure for a
    requested quantity that cannot be measured, and the model's own errors.
    """
    subject = Subject(job, in_memory)
    gc.collect()  # what an earlier job of this process left behind
    device = available.resolve(job.device)
    if job.cache == "cold":
        device.flush_cache()  # its buffer is not the model's memory
    if in_memory is NO_MODEL:
        device.leave_out_memory_in_use()
    threads = subject.threads
    workload = subject.workload(threads)
    with precision.applied(workload, device.name), recursion_told(job.model):
        draft = _record(workload, _where(job, device), PENDING)
        keep(draft)
        if job.batch == "auto":
            subject = subject.of_batch(_largest_batch(subject, device, threads, on_progress))
            draft = replace(draft, flags=("auto_batch",))
        on_progress("counting", 0)
        (torch.default_generator if device.is_host else torch).manual_seed(job.seed)
        with Chance().seeded(job.seed):  # as `count` does
            loaded = subject.build_on_meta()
        draft = _with_commit(replace(draft, workload=subject.workload(threads, loaded), cost=_cost(subject, loaded)))
        draft = replace(draft, flags=(*draft.flags, *loaded.inputs.flags))
        keep(draft)
        if turns is not None:
            turns.before_building(draft.cost, device)
        on_progress("building", 0)
        ready = subject.ready_to_measure(loaded)
        # The model's code may have changed the switches. It may choose determinism, which stays as it is.
        precision.set_switches(workload, device.name)
        draft = replace(draft, environment=_where(job, device))
        measured = _measure(job, ready, device, draft, on_progress, turns)
    keep(measured)
    if job.cross_check:  # last: the libraries that it loads must not disturb the measurements
        on_progress("cross-checking", 0)
        with recursion_told(job.model):
            measured = _cross_checked(subject, subject.build_on_meta(), measured)
    joules = measured.energy
    if isinstance(joules, Missing) and (job.energy == "required" or joules.missing == energy_meter.LOST):
        raise CouldNotMeasure(f"Energy could not be measured: {joules.message}")
    return measured


def profile_in_turns(job: Job, turns: Turns, on_progress: ProgressCallback) -> Record:
    """Count and measure a job whose latency is taken in turns with other processes."""
    return profile(job, on_progress, lambda record: None, turns=turns)


def resolve(job: Job) -> tuple[Workload, Environment]:
    """Resolve a job to its workload and environment, with the precision switches set but without running it."""
    subject = Subject(job)
    device = available.resolve(job.device)
    with recursion_told(job.model):
        workload = subject.workload(subject.threads, subject.build_on_meta())
    with precision.applied(workload, device.name):
        return workload, environment.read(device.name)


def _where(job: Job, device: Device) -> Environment:
    """The environment with the current precision switches."""
    return environment.read(device.name, locked_clock_hz=job.locked_clock_hz)


# Counting.


def _record(workload: Workload, where: Environment, missing: Missing) -> Record:
    """A record without results."""
    return Record(
        id=str(uuid.uuid4()),
        started_utc=now_utc(),
        tool=_tool(),
        workload=workload,
        environment=where,
        cost=missing,
        latency=missing,
        memory=missing,
        energy=missing,
        watch=missing,
    )


def _cost(subject: Subject, loaded: Loaded) -> ModelCost:
    """Count a model that is built. Raises UserError if it cannot take its inputs."""
    if loaded.source == "zoo":
        try:
            return _count(subject, loaded)
        except (RuntimeError, ValueError) as error:
            shapes = ", ".join(loaded.inputs.describe())
            raise UserError(f"{subject.job.model} cannot take {shapes}: {_hint(loaded, error)}.") from None
    try:
        return _count_foreign(subject, loaded)
    except UserError:
        if not loaded.lacks_values or not fitting.host_has_bytes(loaded.parameter_bytes):
            raise
    with Chance().seeded(subject.job.seed):
        valued = subject.build_with_values(loaded)
    return _count_foreign(subject, valued)  # a bug of the model itself raises again


def _count_foreign(subject: Subject, loaded: Loaded) -> ModelCost:
    called = f"{subject.job.model} called with {', '.join(loaded.inputs.describe())}"
    return user.run(lambda: _count(subject, loaded), called)


def _count(subject: Subject, loaded: Loaded) -> ModelCost:
    args, kwargs, batch, _ = loaded.inputs
    training = TrainingStep(subject.job.optimizer) if subject.job.mode == "train" else None
    return cost.count(loaded.model, args, kwargs, batch=batch, seed=subject.job.seed, training=training)


def _cross_checked(subject: Subject, loaded: Loaded, record: Record) -> Record:
    """Add a cross-check of the count, on a model with weights."""
    from backbone_bench.cost import crosscheck
    from backbone_bench.zoo import twins

    if isinstance(record.cost, Missing):
        return replace(record, cross_check=record.cost)
    job = subject.job
    found = twins.compare(job.model, loaded.model) if loaded.source == "zoo" else {}
    real = subject.with_real_weights(loaded)
    set_mode(real.model, train=job.mode == "train")
    args, kwargs = real.inputs[:2]
    return replace(record, cross_check=crosscheck.check(real.model, args, kwargs, record.cost, found))


def _hint(loaded: Loaded, error: Exception) -> str:
    """Hint for a model that rejects its inputs: the smallest image that works, or else torch's message."""
    image = loaded.inputs.args[0] if loaded.inputs.args else None
    if image is not None and image.dim() == 4 and image.shape[1] == 3:
        smallest = smallest_image(loaded.model)
        if smallest is not None and min(image.shape[2:]) < smallest:
            return f"the smallest image that works is {smallest}x{smallest}"
    return str(error).splitlines()[0].rstrip(".")


# Measuring.


def _largest_batch(subject: Subject, device: Device, threads: int, on_progress: ProgressCallback) -> int:
    """Largest batch, a power of two, that fits. 1 if none fits: its measurement then fails with the reason."""

    def fits(batch: int) -> bool:
        on_progress(f"trying batch {batch}", 0)
        trial = subject.of_batch(batch)
        loaded = trial.build_on_meta()
        if device.is_host and not fitting.host_has_room(_cost(trial, loaded)):
            return False
        loaded = trial.with_real_weights(loaded)
        with prepared(loaded.model, *loaded.inputs[:2], trial.workload(threads, loaded), device.name) as step:
            step()
            device.synchronize()
        return True

    return fitting.largest(fits) or 1


def _measure(  # noqa: PLR0913  # what is measured, and how
    job: Job, loaded: Loaded, device: Device, draft: Record, on_progress: ProgressCallback, turns: Turns | None
) -> Record:
    """Add the requested latency, memory and energy to the draft."""
    args, kwargs, batch, _ = loaded.inputs
    partners = turns.partners if turns else 0
    watch = watch_for(device.name, locked=job.locked_clock_hz is not None, partners=partners)
    with prepared(loaded.model, args, kwargs, draft.workload, device.name) as step:
        measured, plan = None, _latency_plan(job, draft, in_turns=turns is not None)
        if turns is not None:
            measured = turns.measure(step, device, watch, plan, on_progress)
        elif job.latency:
            measured = latency_meter.measure(step, device, watch, plan, on_progress)
        joules = energy.measure(job, energy.Call(step, batch, measured), device, watch, on_progress)
        watched = watch.verdict()
        # Last: the profiler disturbs. It would disturb the other processes too.
        alone = job.layers and turns is None
        times = layers.measure(job, step, loaded.model, device, draft.workload, on_progress) if alone else None
    return replace(
        draft,
        latency=NOT_REQUESTED if measured is None else measured.latency,
        memory=NOT_REQUESTED if measured is None else measured.memory,
        energy=joules.energy,
        wall_energy=joules.wall_energy,
        watch=watched,
        layer_times=times,
        flags=draft.flags if measured is None else (*draft.flags, *measured.flags),
    )


def _latency_plan(job: Job, draft: Record, *, in_turns: bool) -> LatencyPlan:
    """The plan for a job. What a call launches is known only if it was counted as it runs."""
    cold = job.cache == "cold"
    plan = latency_plan.choose(quick=job.quick, budget_s=job.budget_s, cold=cold, in_turns=in_turns)
    plan = replace(plan, cool_s=job.wait_for_cool_s)
    if isinstance(draft.cost, Missing) or job.mode == "train" or job.compile is not None:
        return plan
    return replace(plan, launches=draft.cost.ops)


# This program, and the user's.


def _with_commit(record: Record) -> Record:
    """The record with the commit of the user's repository; its model is built, so it has been imported."""
    return replace(record, model_commit=model_commit(record.workload))


def _tool() -> Tool:
    """This program, its commit and its command line."""
    return Tool(__version__, commit(), (Path(sys.argv[0]).name, *sys.argv[1:]))
