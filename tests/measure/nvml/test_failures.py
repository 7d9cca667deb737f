"""Each failure of NVML becomes a Missing with an id and a message, never a number."""

import pynvml
import pytest

from backbone_bench.measure.energy.sources import card_meter
from backbone_bench.measure.nvml.card import Card, known, open_card
from backbone_bench.records import Missing
from tests.measure.nvml.world import NAME


def refuse(world):
    answer = open_card(world.identity, world)
    assert isinstance(answer, Missing)
    return answer


def test_a_missing_library_says_what_a_container_needs(world, monkeypatch):
    def no_library(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", no_library)
    assert refuse(world) == Missing(
        "nvml_missing",
        "libnvidia-ml.so.1 not found. Install the NVIDIA driver; "
        "in a container pass NVIDIA_DRIVER_CAPABILITIES=utility,compute.",
    )


def test_a_driver_that_is_not_loaded_says_so(world):
    world.fail("nvmlInitWithFlags", 9)
    assert refuse(world) == Missing(
        "driver_not_loaded",
        "The NVIDIA kernel driver is not loaded. Load it (sudo modprobe nvidia), and see dmesg if that fails.",
    )


def test_a_library_and_a_module_of_unlike_versions_are_both_named(world, tmp_path):
    world.fail("nvmlInitWithFlags", 18)
    version = tmp_path / "proc/driver/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 06:54:38 UTC 2025\n")
    answer = open_card(world.identity, world, tmp_path)
    assert answer == Missing(
        "version_mismatch",
        "NVML library 13.580.95.05 and kernel module 580.65.06 differ (driver updated without reboot?). "
        "Reboot or reload the module.",
    )


def test_a_package_that_shadows_the_binding_is_found_out(world, monkeypatch):
    monkeypatch.delattr(pynvml, "nvmlDeviceGetFieldValues")
    answer = refuse(world)
    assert answer.missing == "wrong_pynvml"
    assert "pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py." in answer.message


def test_a_jetson_is_not_asked_at_all(world, tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36\n")
    answer = open_card(world.identity, world, tmp_path)
    assert answer == Missing("jetson", "On Jetson NVML does not report power: energy is not supported there yet.")
    assert world.state.calls == 0


def test_power_of_a_slice_is_not_reported_unless_the_whole_card_will_do(world):
    card = open_card(world.slice_card(), world)
    assert isinstance(card, Card)
    assert card_meter(card) == Missing(
        "mig",
        f"NVML reports power of the whole card, not of one MIG slice of {NAME}. "
        "Use --allow-whole-card to report the whole card.",
    )
    assert not isinstance(card_meter(card, whole_card=True), Missing)


ANSWERS = (
    (3, "not_supported", f"The energy counter is not supported on {NAME} (vGPU, pre-Volta, laptop or Jetson)."),
    (
        4,
        "no_permission",
        "The energy counter needs permissions that this user does not have. Run as root, or ask the administrator.",
    ),
    (
        13,
        "function_not_found",
        "The NVIDIA driver is too old for the energy counter: it lacks the NVML call. Update the driver.",
    ),
    (15, "gpu_lost", f"{NAME} is lost: it fell off the bus (Xid error?). See dmesg."),
    (16, "gpu_lost", f"{NAME} needs a reset (Xid error?). See dmesg."),
    (27, "not_ready", "NVML is not ready for the energy counter (code 27). Try again later."),
    (999, "nvml_failed", "NVML returns error 999 for the energy counter."),
)


@pytest.mark.parametrize(("code", "id", "sentence"), ANSWERS, ids=lambda value: str(value)[:18])
def test_every_error_code_of_a_call_is_a_reason(world, card, code, id, sentence):
    world.fail("nvmlDeviceGetTotalEnergyConsumption", code)
    assert known(card.energy_j) == Missing(id, sentence)


@pytest.mark.parametrize("code", [3, 4, 15, 27])
def test_a_field_that_fails_for_itself_is_a_reason_too(world, card, code):
    world.fail("field 186", code)
    answer = known(card.power_instant_w)
    assert isinstance(answer, Missing)
    assert answer.missing == dict((code, id) for code, id, _ in ANSWERS)[code]


def test_a_card_that_gets_ready_is_asked_again(world, card):
    world.sleep_s(1)
    world.fail("nvmlDeviceGetPowerUsage", 27, times=2)
    assert card.power_usage_w() == 60
    world.fail("field 186", 27, times=3)
    assert card.power_instant_w() == 60


def test_absent_calls_of_an_old_driver_are_reasons(old_world):
    card = open_card(old_world.identity, old_world)
    assert isinstance(card, Card)
    for read in (card.power_instant_w, card.throttle_reasons, card.processes, card.held_back_s):
        answer = known(read)
        assert isinstance(answer, Missing)
        assert answer.missing == "function_not_found"


def test_a_lost_card_is_not_taken_for_an_unknown_one(world):
    world.state.lost_at_s = world.now_s() + 2 * world.state.call_s
    assert refuse(world).missing == "gpu_lost"
