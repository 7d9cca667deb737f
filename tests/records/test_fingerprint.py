"""Fingerprint: which differences make two records incomparable, and which only warn."""

import dataclasses
import subprocess
import sys
from dataclasses import replace

import pytest

from backbone_bench.records import Environment, Gpu, Missing
from backbone_bench.records.fingerprint import comparable, differences, digest, fingerprint
from backbone_bench.records.matching import on_paper
from tests.gate.samples import counted

NONE = Missing("nvml_missing", "libnvidia-ml.so.1 not found.")
CARD = Gpu(
    name="NVIDIA A100-SXM4-40GB", uuid="GPU-1", pci="00000000:81:00.0", multiprocessors=108, compute_capability="8.0",
    memory_bytes=42_000_000_000, memory_bus_bits=5120, l2_bytes=41_943_040, driver="580.95.05", nvml="13.580.95.05",
    vbios="92.00", ecc=True, mig=False, virtualization="none", persistence=True, power_limit_w=400.0,
    default_power_limit_w=400.0, max_sm_clock_hz=1410e6, max_memory_clock_hz=1215e6, locked_clock_hz=NONE,
)  # fmt: skip
RECORD = counted()
ON_GPU = replace(RECORD, environment=replace(RECORD.environment, device="cuda:0", device_name=CARD.name, gpu=CARD))


def on(card):
    return replace(ON_GPU, environment=replace(ON_GPU.environment, gpu=card))


def test_a_record_is_like_itself():
    assert differences(ON_GPU, ON_GPU) == ()
    assert comparable(())


@pytest.mark.parametrize(
    "change",
    [
        {"torch": "2.14.0"}, {"cuda": "13.1"}, {"cudnn": "91200"}, {"conv_fp32": "tf32"}, {"matmul_fp32": "tf32"},
        {"cudnn_benchmark": True}, {"deterministic": True}, {"cpu": "Other CPU"}, {"cpu_capability": "AVX2"},
        {"affinity": 1}, {"device_name": "Other CPU"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_an_environment_unlike_in_what_decides_speed_is_not_comparable(change):
    other = replace(RECORD, environment=replace(RECORD.environment, **change))
    found = differences(RECORD, other)
    assert [row.field for row in found] == list(change)
    assert not comparable(found)
    assert digest(RECORD.workload, RECORD.environment) != digest(other.workload, other.environment)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "NVIDIA A100 80GB PCIe"}, {"multiprocessors": 98}, {"memory_bytes": 80_000_000_000}, {"mig": True},
        {"power_limit_w": 300.0}, {"locked_clock_hz": 1410e6}, {"driver": "570.86.10"}, {"driver": "580.65.06"},
    ],
    ids=str,
)  # fmt: skip
def test_a_card_unlike_in_what_decides_speed_is_not_comparable(change):
    assert not comparable(differences(ON_GPU, on(replace(CARD, **change))))


def test_a_patch_of_a_driver_changes_nothing():
    assert differences(ON_GPU, on(replace(CARD, driver="580.95.11"))) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"host": "9c2e"}, {"python": "3.13.0"}, {"os": "Linux 6.8"}, {"kernel": "6.8.0"}, {"governor": "powersave"},
        {"container": "docker"}, {"wsl": True}, {"variables": {"OMP_NUM_THREADS": "1"}}, {"numpy": "2.5.0"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_what_only_may_matter_warns(change):
    found = differences(RECORD, replace(RECORD, environment=replace(RECORD.environment, **change)))
    assert [row.field for row in found] == list(change)
    assert comparable(found)


def test_another_card_of_the_same_model_warns():
    found = differences(ON_GPU, on(replace(CARD, uuid="GPU-2")))
    assert [(row.field, row.old, row.new) for row in found] == [("gpu.uuid", "GPU-1", "GPU-2")]
    assert comparable(found)


def test_what_is_not_known_of_one_side_is_not_taken_for_equal():
    assert not comparable(differences(ON_GPU, on(replace(CARD, power_limit_w=NONE))))
    assert differences(on(replace(CARD, power_limit_w=NONE)), on(replace(CARD, power_limit_w=NONE))) == ()


def test_a_gpu_is_unlike_a_cpu():
    assert not comparable(differences(RECORD, ON_GPU))


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 8}, {"inputs": ("1x3x256x256:float32",)}, {"precision": "bf16"}, {"memory_format": "channels_last"},
        {"compile": "max-autotune"}, {"threads": 4}, {"mode": "train"}, {"cache": "cold"}, {"model": "other"},
        {"arguments": {"num_classes": 10}},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_another_workload_is_not_comparable(change):
    assert not comparable(differences(RECORD, replace(RECORD, workload=replace(RECORD.workload, **change))))


def test_counts_ask_for_the_model_and_what_changes_its_cost_alone():
    elsewhere = replace(RECORD.workload, threads=4, cache="cold", seed=3, memory_format="channels_last")
    assert on_paper(elsewhere) == on_paper(RECORD.workload)
    for change in ({"inputs": ("1x3x256x256:float32",)}, {"batch": 8}, {"precision": "fp16"}, {"mode": "train"}):
        assert on_paper(replace(RECORD.workload, **change)) != on_paper(RECORD.workload)


def test_a_difference_reads_as_a_sentence():
    (row,) = differences(RECORD, replace(RECORD, environment=replace(RECORD.environment, cuda="13.0")))
    assert str(row) == "cuda: none, now 13.0"


def test_every_field_is_named_as_in_the_record():
    fields = {field.name for field in dataclasses.fields(Environment)}
    named = {name.split(".")[0] for name in fingerprint(RECORD.workload, RECORD.environment)}
    assert named <= fields | {"workload", "gpu"}


def test_comparing_loads_no_torch():
    code = "import sys, backbone_bench.records.fingerprint; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
