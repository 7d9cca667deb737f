"""The card that NVML opens is the card that torch computes on."""

import pynvml
import pytest

from backbone_bench.measure.nvml import card as nvml
from backbone_bench.measure.nvml.card import Card, Identity, open_card
from backbone_bench.records import Missing
from tests.measure.nvml.world import NAME, PCI, UUID


def found(world, identity):
    card = open_card(identity, world)
    assert isinstance(card, Card)
    return card


@pytest.mark.parametrize("uuid", [UUID, f"GPU-{UUID}", UUID.upper()])
def test_a_card_is_found_by_its_uuid_in_whatever_order_nvml_counts(world, uuid):
    card = found(world, Identity(NAME, uuid, None))
    assert card.name == NAME
    assert card.uuid() == f"GPU-{UUID}"
    assert pynvml.nvmlDeviceGetUUID(pynvml.byref(world.gpu)) == f"GPU-{UUID}"  # the second card that NVML lists


def test_a_card_is_found_by_its_bus_address_where_torch_tells_no_uuid(world):
    assert found(world, Identity(NAME, None, PCI)).pci() == PCI


def test_a_card_is_found_by_its_bus_address_where_nvml_knows_another_uuid(world):
    assert found(world, Identity(NAME, "00000000-0000-0000-0000-000000000000", PCI)).pci() == PCI


def test_a_card_of_another_name_is_not_measured(world):
    answer = open_card(Identity("NVIDIA H100 PCIe", UUID, PCI), world)
    assert answer == Missing(
        "name_differs",
        f"NVML reports {NAME} but torch reports NVIDIA H100 PCIe: not measured, because it may be the wrong card.",
    )


def test_an_unknown_card_is_named(world):
    answer = open_card(Identity(NAME, "GPU-0", None), world)
    assert isinstance(answer, Missing)
    assert answer.missing == "uuid_not_found"
    assert answer.message == f"{NAME} (GPU-0) is unknown to NVML (a vGPU, or a container that hides the card?)."


def test_a_slice_leads_to_its_whole_card_and_says_so(world):
    card = found(world, world.slice_card())
    assert (card.name, card.sliced) == (NAME, True)
    assert card.uuid() == f"GPU-{UUID}"


@pytest.mark.parametrize("code", [3, 4])
def test_a_slice_is_found_by_whoever_may_not_see_its_card(world, code):
    world.fail("nvmlDeviceGetHandleByUUID", code, times=1)  # under the card's prefix, which is tried first
    assert found(world, world.slice_card()).sliced


def test_a_card_that_nobody_may_see_says_so(world):
    world.fail("nvmlDeviceGetHandleByUUID", 4)
    world.fail("nvmlDeviceGetHandleByPciBusId_v2", 4)
    answer = open_card(world.identity, world)
    assert isinstance(answer, Missing)
    assert answer.missing == "no_permission"


def test_a_card_in_mig_mode_counts_as_sliced_however_it_is_found(world):
    world.slice_card()
    assert found(world, world.identity).sliced


def test_a_driver_without_mig_has_no_slices(world):
    world.fail("nvmlDeviceIsMigDeviceHandle", 13)
    assert not found(world, world.identity).sliced


def test_the_library_is_loaded_by_the_loader_and_not_only_by_us(build_nvml, world, tmp_path):
    import os
    import subprocess
    import sys

    code = (
        "from backbone_bench.measure.nvml.card import Identity, open_card\n"
        "from backbone_bench.measure.clock import HostClock\n"
        f"card = open_card(Identity({NAME!r}, {UUID!r}, None), HostClock())\n"
        "print(card.name, card.power_limit_w())"
    )
    variables = {
        **os.environ, "LD_LIBRARY_PATH": str(build_nvml().parent), "NVML_STUB_STATE": str(world.path),
    }  # fmt: skip
    result = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == f"{NAME} 400.0"


def test_units_are_base_units(world):
    card = found(world, world.identity)
    world.sleep_s(1)
    assert card.power_usage_w() == card.power_instant_w() == 60
    before_j = card.energy_j()
    world.sleep_s(10)
    assert card.energy_j() - before_j == pytest.approx(600)
    world.gpu.sm_mhz = 1275
    assert (card.sm_clock_hz(), card.memory_clock_hz()) == (1275e6, 1215e6)
    assert (card.max_sm_clock_hz(), card.max_memory_clock_hz()) == (1410e6, 1215e6)
    assert (card.power_limit_w(), card.default_power_limit_w()) == (400, 400)
    world.gpu.capped_ns, world.gpu.hot_ns, world.gpu.busy_percent = 2_500_000_000, 1_500_000_000, 35
    assert card.held_back_s() == (2.5, 1.5)
    assert card.busy_fraction() == 0.35


def test_what_holds_now_is_told_and_not_what_will_after_a_reboot(world):
    card = found(world, world.identity)
    assert card.ecc()
    assert not card.sliced


@pytest.mark.parametrize(
    ("constant", "reason"),
    [
        ("GpuIdle", "gpu_idle"),
        ("ApplicationsClocksSetting", "applications_clocks_setting"),
        ("SwPowerCap", "sw_power_cap"),
        ("SyncBoost", "sync_boost"),
        ("SwThermalSlowdown", "sw_thermal_slowdown"),
        ("DisplayClockSetting", "display_clock_setting"),
    ],
)
def test_a_reason_has_the_bit_that_nvml_gives_it(world, constant, reason):
    names = [f"nvmlClocks{word}Reason{constant}" for word in ("Event", "Throttle")]
    world.gpu.reasons = next(getattr(pynvml, name) for name in names if hasattr(pynvml, name))
    assert found(world, world.identity).throttle_reasons() == (reason,)


def test_a_field_is_read_by_the_type_that_it_states():
    value = pynvml.c_nvmlFieldValue_t()
    value.valueType, value.value.dVal = pynvml.NVML_VALUE_TYPE_DOUBLE, 0.5
    assert nvml._number(value) == 0.5
    value.valueType, value.value.ullVal = pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, 2**40
    assert nvml._number(value) == 2**40


def test_an_old_driver_still_tells_temperature_and_power(old_world):
    card = found(old_world, old_world.identity)
    assert card.temperature_c() == 41
    assert card.power_usage_w() == 60
