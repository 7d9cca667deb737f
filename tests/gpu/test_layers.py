"""Times by layer on a real GPU: kernels belong to the modules that launched them, and add up to the device's work."""

import pytest

from backbone_bench import profiler
from backbone_bench.jobs.job import Job
from backbone_bench.records import Ceilings, LayerTimes, Record, known
from backbone_bench.report.views.times import time_sentence
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD


def timed(model: str, **setting) -> tuple[Record, LayerTimes]:
    job = Job(model, {}, device=NAME, quick=True, energy="off", layers=True, **setting)
    record = profiler.profile(job, lambda phase, share: None, lambda record: None)
    assert isinstance(record.layer_times, LayerTimes), record.layer_times
    return record, record.layer_times


@pytest.fixture(scope="module")
def resnet50():
    return timed("resnet50", batch=32)


def test_the_kernels_add_up_to_the_device_s_work_of_a_batch(resnet50, show):
    record, times = resnet50
    work_s = known(record.device_work).median_s
    show(f"{1e3 * times.total_s:.3f} ms of kernels, {1e3 * work_s:.3f} ms of device work; {time_sentence(*resnet50)}")
    assert times.total_s == pytest.approx(work_s, rel=0.15)


def test_nearly_every_kernel_belongs_to_an_operation(resnet50):
    _, times = resnet50
    assert times.source == "kernels"
    assert times.unattributed_s < 0.01 * times.total_s


def test_every_convolution_of_the_network_has_its_kernels(resnet50):
    record, times = resnet50
    counted = {row.module for row in known(record.cost).by_op if row.op == "convolution"}
    assert {row.module for row in times.rows if row.op == "convolution" and row.launches} == counted


def test_the_ceilings_are_those_of_a_gpu(resnet50, show):
    _, times = resnet50
    assert isinstance(times.ceilings, Ceilings)
    show(f"{times.ceilings.flops_per_s / 1e12:.1f} TFLOP/s, {times.ceilings.bytes_per_s / 1e12:.2f} TB/s")
    assert times.ceilings.flops_per_s > 1e12
    assert times.ceilings.bytes_per_s > 1e11


def test_at_batch_1_short_kernels_are_told():
    _, times = timed("densenet121")
    assert sum(row.short_launches for row in times.rows) > 50


@pytest.mark.slow
def test_compiled_code_is_one_region_with_all_its_kernels():
    _, times = timed("resnet18", compile="default")
    assert {row.op for row in times.rows if row.time_s} <= {"compiled region"}
