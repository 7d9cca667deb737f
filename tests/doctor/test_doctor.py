"""Output of `bench doctor` without a GPU, and with the NVML stub for each failure: golden files."""

import json
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from backbone_bench import measure
from backbone_bench.cli.doctor import answer
from backbone_bench.doctor import can_measure, examine
from backbone_bench.doctor.here import AcceleratorReport, MachineReport
from backbone_bench.doctor.lines import REMEDIES
from backbone_bench.measure.devices.available import TorchBuild
from backbone_bench.measure.nvml.card import open_card
from backbone_bench.records import Missing
from backbone_bench.report.tables.formats import write as written
from tests.measure.nvml.world import NAME, Sensor


def as_text(lines, form):
    return written(answer(lines), form)


CUDA = TorchBuild("2.13.0+cu130", "cuda", 1, "CUDA 13.0")
CPU_ONLY = TorchBuild("2.13.0+cpu", None, 0)
GIB = 1024**2  # in the kB of /proc/meminfo

FILES = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC 9354 32-Core Processor\n",
    "proc/meminfo": f"MemTotal: {128 * GIB} kB\nMemFree: {60 * GIB} kB\nMemAvailable: {96 * GIB} kB\n",
    "proc/loadavg": "0.52 0.58 0.59 1/977 4711\n",
    "proc/version": "Linux version 6.8.0\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
}


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def host(tmp_path, world):
    """A healthy host without a GPU."""
    write(tmp_path, FILES)
    return MachineReport(
        torch=CPU_ONLY,
        versions={"backbone-bench": "0.1.0", "Python": "3.12.3", "numpy": "2.4.6"},
        capability="AVX512",
        cores=32,
        affinity=32,
        timer_s=1e-9,
        root=False,
        accelerators=(),
        clock=world,
        files=tmp_path,
    )


@pytest.fixture
def with_gpu(host, world):
    """Examine the host with the card of the NVML stub, in its current state."""

    def examined(identity=None, **changes):
        card = open_card(identity or world.identity, world, host.files)
        device = AcceleratorReport("cuda:0", NAME, None, None, card)
        return examine(replace(host, torch=CUDA, accelerators=(device,), **changes))

    return examined


@pytest.mark.parametrize("form", ["md", "table", "json", "csv"])
def test_a_healthy_card_in_every_form(with_gpu, golden, monkeypatch, form):
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("NO_COLOR", "1")
    golden(f"healthy.{form}", as_text(with_gpu(root=True), form))


def test_a_host_without_a_gpu(host, golden):
    golden("no_gpu.md", as_text(examine(host), "md"))


def test_a_cpu_build_on_a_host_with_an_nvidia_driver(host, golden):
    write(
        host.files, {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun\n"}
    )
    golden("cpu_build.md", as_text(examine(host), "md"))


def test_a_driver_too_old_for_torch(host, golden):
    reason = "The NVIDIA driver on your system is too old (found version 12020)"
    golden("old_driver.md", as_text(examine(replace(host, torch=CUDA._replace(devices=0, reason=reason))), "md"))


def test_a_torch_that_is_known_to_be_wrong(host, golden):
    build = TorchBuild("2.10.0+cu128", "cuda", 0, "CUDA 12.8", "no device", cudnn=91002)
    golden("faulty_torch.md", as_text(examine(replace(host, torch=build)), "md"))


def test_a_torch_that_nobody_has_tried(host, golden):
    golden("untried_torch.md", as_text(examine(replace(host, torch=CPU_ONLY._replace(version="2.99.0"))), "md"))


def test_a_host_in_bad_shape(host, golden):
    write(
        host.files,
        {
            "proc/loadavg": "31.70 30.01 28.40 9/977 4711\n",
            "proc/meminfo": f"MemTotal: {4 * GIB} kB\nMemAvailable: {1 * GIB} kB\n",
            "proc/version": "Linux version 5.15.153.1-microsoft-standard-WSL2\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
            "sys/class/powercap/intel-rapl:0/name": "package-0\n",
            "sys/class/powercap/intel-rapl:0/energy_uj": "1000\n",
            "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850\n",
        },
    )
    golden("bad_shape.md", as_text(examine(replace(host, timer_s=1e-3)), "md"))


def test_a_host_that_tells_nothing(host, golden, tmp_path):
    bare = replace(host, files=tmp_path / "nothing", timer_s=Missing("no_cpu", "torch cannot compute on this CPU: no."))
    lines = examine(bare)
    assert not can_measure(lines)
    processor = next(line for line in lines if line.topic == "CPU").found.split(",")[0]
    golden("bare.md", as_text(lines, "md").replace(processor, "PROCESSOR"))


COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
POWER = (COUNTER, "field 186", "nvmlDeviceGetPowerUsage")


def no_permission(world):
    for call in POWER:
        world.fail(call, 4)


def vgpu(world):
    for call in POWER:
        world.fail(call, 3)


def busy(world):
    world.gpu.compute_pids[1], world.gpu.computes = 4711, 2


def wsl(world):
    world.gpu.computes = 0


def limited(world):
    world.gpu.power_limit_mw, world.gpu.persistence = 250_000, 0


def frozen(world):
    world.gpu.frozen_at_s = 0


def lost(world):
    world.state.lost_at_s = world.now_s() + 0.5


def quick_tick(world):
    world.gpu.counter = Sensor(0.02, 0.02)


FAILURES = {
    "driver_not_loaded": lambda world: world.fail("nvmlInitWithFlags", 9),
    "version_mismatch": lambda world: world.fail("nvmlInitWithFlags", 18),
    "counter_not_supported": lambda world: world.fail(COUNTER, 3),
    "not_ready": lambda world: world.fail(COUNTER, 27),
    "no_permission": no_permission,
    "vgpu": vgpu,
    "busy": busy,
    "wsl": wsl,
    "limited": limited,
    "frozen": frozen,
    "lost": lost,
    "quick_tick": quick_tick,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_card_with(with_gpu, world, golden, failure):
    FAILURES[failure](world)
    lines = with_gpu()
    assert can_measure(lines)
    golden(f"{failure}.md", as_text(lines, "md"))


def test_a_card_whose_library_is_missing(with_gpu, monkeypatch, golden):
    def no_library(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", no_library)
    golden("nvml_missing.md", as_text(with_gpu(), "md"))


def test_a_card_whose_binding_is_shadowed(with_gpu, monkeypatch, golden):
    monkeypatch.delattr(pynvml, "nvmlDeviceGetFieldValues")
    monkeypatch.setattr(pynvml, "__file__", "pynvml/__init__.py")
    golden("wrong_pynvml.md", as_text(with_gpu(), "md"))


def test_a_card_under_another_name(with_gpu, world, golden):
    golden("name_differs.md", as_text(with_gpu(world.identity._replace(name="NVIDIA H100 PCIe")), "md"))


def test_a_card_that_nvml_does_not_know(with_gpu, world, golden):
    golden("uuid_not_found.md", as_text(with_gpu(world.identity._replace(uuid="GPU-0", pci=None)), "md"))


def test_a_slice_of_a_card(with_gpu, world, golden):
    golden("mig.md", as_text(with_gpu(world.slice_card()), "md"))


def test_a_jetson(with_gpu, host, golden):
    write(host.files, {"etc/nv_tegra_release": "# R36\n"})
    golden("jetson.md", as_text(with_gpu(), "md"))


def test_an_old_driver(old_world, with_gpu, golden):
    golden("old_calls.md", as_text(with_gpu(), "md"))


def test_a_device_that_is_no_nvidia_card(host, golden):
    device = AcceleratorReport(
        "mps:0",
        "Apple M3",
        None,
        Missing("no_graphs", "graphs are captured on CUDA only, and this is mps:0"),
        Missing("not_nvidia", "mps:0 is not an NVIDIA GPU: reading its clocks and power is not supported yet."),
    )
    machine = replace(host, torch=TorchBuild("2.13.0", "mps", 1, "mps"), accelerators=(device,))
    golden("not_nvidia.md", as_text(examine(machine), "md"))


def test_json_says_the_same_as_the_lines(with_gpu):
    lines = with_gpu()
    assert json.loads(as_text(lines, "json")) == [line._asdict() for line in lines]


def test_every_remedy_has_the_id_of_a_reason():
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(measure.__path__[0]).rglob("*.py"))
    assert [id for id in REMEDIES if f'"{id}"' not in sources] == []


def test_every_weak_line_has_a_remedy_or_a_reason(with_gpu, world):
    limited(world)
    busy(world)
    assert all(line.remedy for line in with_gpu() if line.grade == "weak")
