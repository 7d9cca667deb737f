"""How long a row will take, before anything has run: from the meter's own rules and the zoo's counts."""

from typing import NamedTuple

from backbone_bench.jobs.job import Job
from backbone_bench.measure.latency import plan as latency_plan
from backbone_bench.zoo import catalogue

START_S = 6.0  # a process, torch, building and counting
CPU_FLOPS_PER_S = 20e9  # of one thread or two, a multiply-add counted once
ACCELERATOR_FLOPS_PER_S = 2e12


class Span(NamedTuple):
    """From a quiet machine and a steady device to the worst that the rules allow, in seconds."""

    least_s: float
    most_s: float


def estimate(job: Job) -> Span:
    """The time of one row; of a model that the zoo does not know, calls are taken to be short."""
    if not job.latency:
        return Span(START_S, 2 * START_S)
    chosen = latency_plan.choose(quick=job.quick, budget_s=job.budget_s)
    if chosen.budget_s is not None:
        return Span(START_S, 2 * START_S + chosen.budget_s)
    modes = 1 if job.on_host else 3
    call_s = _call_s(job)
    settling, stopping = chosen.settling, chosen.stopping
    longest_warm_up_s = settling.max_s + call_s
    longest_sampling_s = max(stopping.max_s, stopping.min_calls * call_s)
    warm_up_s = min(longest_warm_up_s, max(settling.min_s, settling.min_blocks * call_s))
    sampling_s = min(longest_sampling_s, max(stopping.min_busy_s, stopping.min_samples * call_s))
    first_s = chosen.first_calls * call_s
    return Span(
        START_S + first_s + modes * (warm_up_s + sampling_s),
        2 * (START_S + first_s) + modes * (longest_warm_up_s + longest_sampling_s),
    )


def _call_s(job: Job) -> float:
    """The time of a call at an ordinary rate."""
    entry = catalogue.entries().get(job.model)
    if entry is None:
        return 0.0
    _, height, width = entry.input
    images = 1 if job.batch == "auto" else job.batch
    scale = 1.0 if job.input_size is None else job.input_size**2 / (height * width)
    passes = 3 if job.mode == "train" else 1
    return entry.flops * images * scale * passes / (CPU_FLOPS_PER_S if job.on_host else ACCELERATOR_FLOPS_PER_S)
