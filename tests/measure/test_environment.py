"""The environment of a record is complete; an unreadable field is Missing with its reason."""

import platform
import subprocess
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from backbone_bench.measure import environment
from backbone_bench.measure.environment import _gpu
from backbone_bench.measure.machine import system
from backbone_bench.measure.nvml.find import card_for, identity, watch_for
from backbone_bench.records import Environment, Missing


def put(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_an_environment_survives_being_written_and_read(device):
    found = environment.read(device)
    adapter = TypeAdapter(Environment)
    assert adapter.validate_json(adapter.dump_json(found)) == found
    assert found.gpu is None
    assert (found.torch, found.python) == (torch.__version__, platform.python_version())


def test_precision_switches_are_read_as_they_stand():
    mkldnn: Any = torch.backends.mkldnn
    before = mkldnn.conv.fp32_precision
    mkldnn.conv.fp32_precision = "bf16"
    try:
        assert environment.read("cpu").conv_fp32 == "bf16"
    finally:
        mkldnn.conv.fp32_precision = before


def test_determinism_is_read_as_it_stands():
    torch.use_deterministic_algorithms(True)
    try:
        assert environment.read("cpu").deterministic
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC 9354\nmodel\t: 17\n", "AMD EPYC 9354"),
        ("processor\t: 0\nBogoMIPS\t: 108.00\nModel\t\t: Raspberry Pi 5 Model B\n", "Raspberry Pi 5 Model B"),
    ],
)
def test_the_processor_is_named_as_linux_names_it(tmp_path, text, name):
    assert system.cpu(put(tmp_path, {"proc/cpuinfo": text})) == name


def test_the_processor_of_a_mac_is_named_by_its_maker(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(subprocess, "run", lambda ask, **how: subprocess.CompletedProcess(ask, 0, "Apple M3 Max\n"))
    assert system.cpu(tmp_path) == "Apple M3 Max"


def test_memory_is_that_of_the_control_group_where_that_is_less(tmp_path):
    put(tmp_path, {"proc/meminfo": "MemTotal:       1000 kB\n", "sys/fs/cgroup/memory.max": "max\n"})
    assert system.memory_bytes(tmp_path) == 1_024_000
    put(tmp_path, {"sys/fs/cgroup/memory.max": "512000\n"})
    assert system.memory_bytes(tmp_path) == 512_000
    put(tmp_path, {"sys/fs/cgroup/memory.max": "999999999\n"})
    assert system.memory_bytes(tmp_path) == 1_024_000


@pytest.mark.parametrize(
    ("group", "kib"),
    [
        ({}, 900),
        ({"memory.max": "max", "memory.current": "1"}, 900),
        ({"memory.max": "409600", "memory.current": "307200"}, 100),
        ({"memory.max": "409600", "memory.current": "307200", "memory.stat": "file 9\ninactive_file 102400\n"}, 200),
        ({"memory.max": "99999999", "memory.current": "307200"}, 900),
    ],
)
def test_free_memory_is_what_the_control_group_leaves_where_that_is_less(tmp_path, group, kib):
    files = {f"sys/fs/cgroup/{name}": text for name, text in group.items()}
    put(tmp_path, {"proc/meminfo": "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 900 kB\n", **files})
    assert system.available_bytes(tmp_path) == kib * 1024


@pytest.mark.parametrize("ask", [system.memory_bytes, system.available_bytes, system.governor, system.load_average])
def test_what_a_machine_does_not_tell_is_a_reason(tmp_path, ask):
    assert isinstance(ask(tmp_path), Missing)
    blank = ("proc/meminfo", "proc/loadavg", "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    put(tmp_path, dict.fromkeys(blank, " \n"))
    assert isinstance(ask(tmp_path), Missing)


@pytest.mark.parametrize(
    ("files", "variables", "kind"),
    [
        ({}, {}, None),
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": ""}, {}, "podman"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({}, {"APPTAINER_CONTAINER": "x.sif"}, "apptainer"),
        ({}, {"container": "lxc"}, "lxc"),
    ],
)
def test_a_container_is_named_by_its_traces(tmp_path, files, variables, kind):
    assert system.container(put(tmp_path, files), variables) == kind


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, None),
        ({"CI": "true"}, "unknown"),
        ({"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_NAME": "gpu-1"}, "github:gpu-1"),
        ({"CI": "true", "GITLAB_CI": "true"}, "gitlab"),
    ],
)
def test_ci_is_named_with_its_runner(variables, name):
    assert system.ci(variables) == name


def test_only_variables_that_change_what_torch_does_are_recorded():
    variables = {
        "CUDA_VISIBLE_DEVICES": "1", "PYTORCH_CUDA_ALLOC_CONF": "x", "PYTORCH_ALLOC_CONF": "y", "OMP_NUM_THREADS": "2",
        "HOME": "/root", "AWS_SECRET_ACCESS_KEY": "z", "CUDA_HOME": "/opt", "MY_CUDA_VISIBLE_DEVICES": "0",
    }  # fmt: skip
    assert set(system.torch_variables(variables)) == {
        "CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "OMP_NUM_THREADS",
    }  # fmt: skip


def test_the_host_is_told_apart_and_not_named():
    assert system.host() == system.host()
    assert platform.node() not in system.host()


def test_a_card_is_described_by_torch_and_by_nvml(world, torch_card):
    card = _gpu("cuda:0", None)
    assert (card.multiprocessors, card.compute_capability, card.memory_bus_bits) == (108, "8.6", 5120)
    assert (card.driver, card.power_limit_w, card.max_sm_clock_hz) == ("580.95.05", 400.0, 1410e6)
    assert (card.persistence, card.mig, card.virtualization, card.ecc) == (True, False, "none", True)
    assert (card.max_memory_clock_hz, card.l2_bytes) == (1215e6, 40 * 1024**2)
    assert isinstance(card.locked_clock_hz, Missing)


def test_what_torch_reads_as_nothing_is_not_told(world, torch_card, monkeypatch):
    monkeypatch.setattr(torch_card, "L2_cache_size", 0)
    monkeypatch.delattr(torch_card, "memory_bus_width")
    card = _gpu("cuda:0", None)
    assert isinstance(card.l2_bytes, Missing)
    assert isinstance(card.memory_bus_bits, Missing)


def test_a_card_without_nvml_is_still_described_by_torch(world, torch_card):
    world.fail("nvmlInitWithFlags", 9)
    card = _gpu("cuda:0", None)
    assert card.multiprocessors == 108
    assert isinstance(card.driver, Missing)
    assert card.driver.missing == "driver_not_loaded"


def test_a_card_is_identified_by_what_torch_tells(world, torch_card):
    assert identity("cuda:0") == world.identity
    card = card_for("cuda:0")
    assert not isinstance(card, Missing)
    assert card.uuid() == f"GPU-{world.identity.uuid}"


def test_a_torch_that_tells_no_bus_address_still_has_a_uuid(torch_card, monkeypatch):
    monkeypatch.delattr(torch_card, "pci_domain_id")
    found = identity("cuda:0")
    assert not isinstance(found, Missing)
    assert found.pci is None


@pytest.mark.parametrize(("device", "id"), [("cpu", "no_nvml"), ("mps", "not_nvidia"), ("xpu:1", "not_nvidia")])
def test_what_nvml_does_not_know_is_not_asked_of_it(world, device, id):
    card = card_for(device)
    assert isinstance(card, Missing)
    assert card.missing == id
    assert watch_for(device).verdict() == card
    assert world.state.calls == 0


def test_rocm_is_not_asked_of_nvml(world, torch_card, monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert isinstance(card_for("cuda:0"), Missing)
    assert world.state.calls == 0
