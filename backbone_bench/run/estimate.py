"""Estimate the duration of a row before it runs, from the plans of the measurements and the zoo's FLOPs."""

from collections.abc import Sequence
from typing import NamedTuple

from backbone_bench.jobs.job import Job
from backbone_bench.measure.energy import plan as energy_plan
from backbone_bench.measure.energy.counting import STILL_S
from backbone_bench.measure.energy.idle import PROBE_S
from backbone_bench.measure.latency import plan as latency_plan
from backbone_bench.run.live import PLAN
from backbone_bench.zoo import catalogue

START_S = 6.0  # start a process, import torch, build the model and count it
CPU_FLOPS_PER_S = 20e9  # of one or two threads; a multiply-add counts once
ACCELERATOR_FLOPS_PER_S = 2e12


class Span(NamedTuple):
    """Shortest and longest expected duration: on a quiet machine with a steady device, and the most the rules allow."""

    least_s: float
    most_s: float


LAYERS = Span(5.0, 15.0)  # the pass that times the layers, and the ceilings


def estimate(job: Job) -> Span:
    """Estimated duration of one row; calls of a model that is not in the zoo are assumed to be short."""
    parts = [_energy_s(job), _latency(job), LAYERS if job.layers else Span(0.0, 0.0)]
    return Span(START_S + sum(part.least_s for part in parts), 2 * START_S + sum(part.most_s for part in parts))


def fresh_round(jobs: Sequence[Job]) -> Span:
    """Estimated duration of a round of processes that run one after the other."""
    spans = [estimate(job) for job in jobs]
    return Span(sum(span.least_s for span in spans), sum(span.most_s for span in spans))


def live_round(jobs: Sequence[Job]) -> Span:
    """Estimated duration of a round of live processes, which start two at a time on a usual machine."""
    start_s = START_S * max(1.0, len(jobs) / 2)
    turn_s = sum(max(PLAN.wall_s, _call_s(job)) for job in jobs)
    least_s, most_s = (start_s + PLAN.bursts_s(start_s, turn_s, len(jobs)) for start_s in (start_s, 2 * start_s))
    return Span(least_s, most_s)


def _energy_s(job: Job) -> Span:
    """Duration of the energy phases. A CPU may have no counter, which ends them at once: none is expected there."""
    if job.energy == "off" or job.on_host:
        return Span(0.0, 0.0)
    plan = energy_plan.choose(quick=job.quick, window_s=job.energy_window_s)
    windows_s = plan.trials * (plan.undisturbed_s + plan.window_s)
    least_s = plan.warm_up_s + PROBE_S + windows_s
    most_s = plan.warm_up_s + STILL_S + plan.trials * (plan.undisturbed_s + plan.longest_window_s)
    loads = 2 if job.energy_of == "both" else 1
    return Span(plan.idle_s + loads * least_s, plan.idle_s + loads * most_s)


def _latency(job: Job) -> Span:
    if not job.latency:
        return Span(0.0, 0.0)
    chosen = latency_plan.choose(quick=job.quick, budget_s=job.budget_s)
    if chosen.budget_s is not None:
        return Span(0.0, chosen.budget_s)
    modes = 1 if job.on_host else 3
    call_s = _call_s(job)
    warm_up_rule, stopping_rule = chosen.warm_up_rule, chosen.stopping_rule
    longest_warm_up_s = warm_up_rule.max_s + call_s
    longest_sampling_s = max(stopping_rule.max_s, stopping_rule.min_calls * call_s)
    warm_up_s = min(longest_warm_up_s, max(warm_up_rule.min_s, warm_up_rule.min_blocks * call_s))
    sampling_s = min(longest_sampling_s, max(stopping_rule.min_busy_s, stopping_rule.min_samples * call_s))
    first_s = chosen.first_calls * call_s
    return Span(
        first_s + modes * (warm_up_s + sampling_s),
        2 * first_s + modes * (longest_warm_up_s + longest_sampling_s),
    )


def _call_s(job: Job) -> float:
    """Duration of one call at a typical FLOP rate; 0 for a model that is not in the zoo."""
    entry = catalogue.entries().get(job.model)
    if entry is None:
        return 0.0
    _, height, width = entry.input
    images = 1 if job.batch == "auto" else job.batch
    scale = 1.0 if job.input_size is None else job.input_size**2 / (height * width)
    passes = 3 if job.mode == "train" else 1
    return entry.flops * images * scale * passes / (CPU_FLOPS_PER_S if job.on_host else ACCELERATOR_FLOPS_PER_S)
