"""The one sentence with which a run of one model ends."""

from dataclasses import replace
from pathlib import Path

import pytest

from backbone_bench.records import Ceilings, LayerTimes, store
from backbone_bench.report.views.sentence import sentence
from tests.report.samples import NO_NVML, UNKNOWN, VOVNET39, counted, gpu_record

H200 = Path(__file__).parents[3] / "results/records/h200"


def test_a_run_on_a_gpu_ends_with_its_work_its_energy_and_who_waits():
    (made,) = store.read([H200 / "vovnet39-full.jsonl"], warn=pytest.fail)
    # 7.072 G multiply-adds in 3.215 ms are 2.2 T a second; 704.8 mJ; wall latency is 3.447 ms
    assert sentence(made) == "vovnet39: 3.2 ms of GPU work an image, 0.70 J, 7 % launch-bound; 2.2 TFLOP/s."


def test_a_batch_is_divided_and_what_was_not_measured_is_left_out():
    made = replace(gpu_record("a", 4_000_000_000, 0.016, batch=32), energy=NO_NVML)
    assert sentence(made).startswith("a: 0.50 ms of GPU work an image, 50 % launch-bound; ")


def test_on_a_cpu_an_image_takes_what_its_caller_waits():
    assert sentence(VOVNET39) == "vovnet39: 51 ms an image; 139 GFLOP/s."
    assert sentence(UNKNOWN).endswith("; at least 50 GFLOP/s.")


def test_a_count_has_no_such_sentence():
    assert sentence(counted("a", 4_000_000)) == ""


def test_where_a_ceiling_was_measured_the_rate_is_held_against_it():
    ceilings = Ceilings(1.5e11, 1e10)
    timed = replace(VOVNET39, layer_times=LayerTimes("operations", 3, (), 0.0, ceilings, 1.0))
    assert sentence(timed) == "vovnet39: 51 ms an image; 139 of 150 GFLOP/s."
