"""Times by layer of a job: the pass that takes them, and the ceilings that they are compared with."""

from dataclasses import replace
from math import ceil, sqrt
from pathlib import Path

from torch import nn

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.jobs.job import Job
from backbone_bench.measure.call.step import prepared
from backbone_bench.measure.latency import meter as latency_meter
from backbone_bench.measure.latency import plan as latency_plan
from backbone_bench.measure.layers import meter
from backbone_bench.measure.nvml.find import watch_for
from backbone_bench.measure.protocols import Device, Step, Unavailable
from backbone_bench.records import Ceilings, Known, LayerTimes, Missing, Workload
from backbone_bench.zoo import ceilings

_BUDGET_S = 1.0  # for the rate of the product, and for that of the copy
_HOST_SIZE, _SIZE = 2048, 8192  # of the product: a large GPU needs a large one
_LARGEST = 8192  # of the copy


def measure(  # noqa: PLR0913  # a call, its model and its conditions
    job: Job, step: Step, model: nn.Module, device: Device, workload: Workload, on_progress: ProgressCallback
) -> Known[LayerTimes]:
    """Time every operation of the step, and measure the ceilings; Missing where torch cannot time kernels.

    A job with a `trace` has the profile written there.
    """
    on_progress("timing the layers", 0)
    began_s = device.now_s()
    try:
        # Compiled code stays as it is: wrapping a module would compile it again.
        timed = meter.measure(
            step, None if workload.compile else model, device, None if job.trace is None else Path(job.trace)
        )
    except Unavailable as unavailable:
        return unavailable.missing
    on_progress("measuring the ceilings", 0)
    found = _ceilings(workload, device)
    return LayerTimes(
        source="operations" if device.is_host else "kernels",
        calls=timed.calls,
        rows=timed.rows,
        unattributed_s=timed.unattributed_s,
        ceilings=found,
        spent_s=device.now_s() - began_s,
    )


def _ceilings(workload: Workload, device: Device) -> Known[Ceilings]:
    """The rates of a matrix product and of a copy, in the precision and with the threads of the workload."""
    plain = replace(workload, mode="eval", compile=None, memory_format="contiguous", optimizer=None)
    product, copied = ceilings.product(_HOST_SIZE if device.is_host else _SIZE), ceilings.copy(_copy_size(device))
    taken = []
    for model in (product, copied):
        call_s = _call_s(model, plain, device)
        if isinstance(call_s, Missing):
            return call_s
        taken.append(call_s)
    return Ceilings(
        flops_per_s=product.linear.in_features**3 / taken[0],
        bytes_per_s=2 * copied.target.numel() * copied.target.element_size() / taken[1],
    )


def _copy_size(device: Device) -> int:
    """Side of a matrix of 4-byte numbers that is four times as large as the last-level cache, if that is possible."""
    cache_bytes = 0 if isinstance(device.cache_bytes, Missing) else device.cache_bytes
    return min(_LARGEST, max(4096, 1024 * ceil(sqrt(cache_bytes) / 1024)))


def _call_s(model: ceilings.Product | ceilings.Copy, workload: Workload, device: Device) -> Known[float]:
    """Seconds of device work in one call."""
    plan = latency_plan.choose(quick=True, budget_s=_BUDGET_S)
    try:
        with prepared(model, model.example_inputs(), {}, workload, device.name) as step:
            latency = latency_meter.measure(step, device, watch_for(device.name), plan).latency
    except CouldNotMeasure as failure:  # no memory is left for them, say
        return Missing("no_ceilings", str(failure))
    work = latency.wall if device.is_host else latency.device_work
    return work if isinstance(work, Missing) else work.median_s
