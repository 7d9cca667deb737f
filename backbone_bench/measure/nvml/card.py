"""The one module that speaks NVML: a card found by what it is, never by an index, and what it answers.

CUDA counts the fastest card first and NVML the lowest bus address, so an index
means two cards; a UUID means one. Every call that fails becomes a SourceFailed
whose `missing` has a stable id and a sentence that says what to do. Units are
turned into base units here and nowhere else. None of this has run on a GPU yet:
it is tested against a stand-in for the driver's library.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pynvml

from backbone_bench.measure.machine import system
from backbone_bench.measure.nvml import reasons
from backbone_bench.measure.protocols import Clock, SourceFailed
from backbone_bench.records import Known, Missing

T = TypeVar("T")

NOT_READY_TRIES, NOT_READY_PAUSE_S = 3, 0.2
POWER_INSTANT = 186  # field ids of NVML: milliwatts now, and nanoseconds held back by policy
HELD_BACK = (74, 75)  # power, thermal. The newer counters changed ids between drivers (251-253, then 269-271)
THROTTLE_REASONS = {
    0x01: "gpu_idle", 0x02: "applications_clocks_setting", 0x04: "sw_power_cap", 0x08: "hw_slowdown",
    0x10: "sync_boost", 0x20: "sw_thermal_slowdown", 0x40: "hw_thermal_slowdown", 0x80: "hw_power_brake",
    0x100: "display_clock_setting",
}  # fmt: skip


class Identity(NamedTuple):
    """The card that the framework computes on, as the framework describes it."""

    name: str
    uuid: str | None  # bare, as torch gives it, or with NVML's prefix
    pci: str | None  # domain:bus:device.function


def open_card(wanted: Identity, clock: Clock, root: Path = Path("/")) -> "Known[Card]":
    """The card that NVML knows under the same UUID, else under the same bus address, if the names agree."""
    if (root / "etc/nv_tegra_release").exists():
        return reasons.JETSON
    if not hasattr(pynvml, "nvmlDeviceGetFieldValues"):
        return reasons.wrong_pynvml(pynvml.__file__)
    try:
        _patiently(clock, pynvml.nvmlInit)
    except pynvml.NVMLError as error:
        return reasons.no_library(error.value, _library_version(), system.nvidia_module(root) or "(unknown)")
    try:
        return _named_alike(wanted, *_find(wanted, clock), clock)
    except SourceFailed as failure:
        return failure.missing


def _named_alike(wanted: Identity, handle: Any, sliced: bool, clock: Clock) -> "Known[Card]":
    name = _ask(clock, "the name", wanted.name, pynvml.nvmlDeviceGetName, handle)
    # Torch adds the slice to the name: "NVIDIA A100-SXM4-40GB MIG 1g.5gb".
    if name != wanted.name and not (sliced and wanted.name.startswith(name)):
        return reasons.name_differs(name, wanted.name)
    return Card(name, handle, sliced, clock)


def _find(wanted: Identity, clock: Clock) -> tuple[Any, bool]:
    """The handle of the whole card, and whether only a MIG slice of it is ours."""
    refused: Missing | None = None
    for find, key in _ways(wanted):
        try:
            handle = find(key.encode())
        except pynvml.NVMLError as error:  # who may use a slice may not be allowed to see its card
            if refused is None and error.value not in reasons.NOT_FOUND:
                refused = reasons.no_answer(error.value, "finding the card", wanted.name)
        else:
            return _whole(handle, wanted, clock)
    raise SourceFailed(refused or reasons.unknown_to_nvml(wanted.name, wanted.uuid))


def _ways(wanted: Identity) -> Iterator[tuple[Callable[[bytes], Any], str]]:
    if wanted.uuid:
        bare = re.sub(r"^(GPU|MIG)-", "", wanted.uuid)
        for prefix in ("GPU-", "MIG-"):  # torch leaves the prefix out
            yield pynvml.nvmlDeviceGetHandleByUUID, prefix + bare
    if wanted.pci:
        yield pynvml.nvmlDeviceGetHandleByPciBusId, wanted.pci


def _whole(handle: Any, wanted: Identity, clock: Clock) -> tuple[Any, bool]:
    ask = partial(_ask, clock, "MIG", wanted.name)
    try:
        if ask(pynvml.nvmlDeviceIsMigDeviceHandle, handle).value:
            return ask(pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, handle), True
        return handle, ask(pynvml.nvmlDeviceGetMigMode, handle)[0] == pynvml.NVML_DEVICE_MIG_ENABLE
    except SourceFailed as failure:
        if failure.missing.missing in ("not_supported", "function_not_found"):  # no MIG on this card or driver
            return handle, False
        raise


@dataclass(frozen=True, slots=True)
class Card:
    """A whole card. `sliced`: only a MIG slice of it is ours, while power is that of all of it."""

    name: str
    handle: Any
    sliced: bool
    clock: Clock

    def energy_j(self) -> float:
        """Joules since the driver was loaded."""
        return self._ask("the energy counter", pynvml.nvmlDeviceGetTotalEnergyConsumption) / 1e3

    def power_instant_w(self) -> float:
        """Watts of the GPU alone (scope 0), as short an average as the card has."""
        (milliwatts,) = self._fields("instant power", (POWER_INSTANT, pynvml.NVML_POWER_SCOPE_GPU))
        return milliwatts / 1e3

    def power_usage_w(self) -> float:
        """Watts as nvidia-smi shows them; what they average differs by architecture."""
        return self._ask("power usage", pynvml.nvmlDeviceGetPowerUsage) / 1e3

    def sm_clock_hz(self) -> float:
        return self._ask("the SM clock", pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_SM) * 1e6

    def memory_clock_hz(self) -> float:
        return self._ask("the memory clock", pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_MEM) * 1e6

    def max_sm_clock_hz(self) -> float:
        return self._ask("the highest SM clock", pynvml.nvmlDeviceGetMaxClockInfo, pynvml.NVML_CLOCK_SM) * 1e6

    def max_memory_clock_hz(self) -> float:
        return self._ask("the highest memory clock", pynvml.nvmlDeviceGetMaxClockInfo, pynvml.NVML_CLOCK_MEM) * 1e6

    def temperature_c(self) -> float:
        """By the call that CUDA 14 keeps, else by the one that older drivers have."""
        try:
            return float(self._ask("temperature", pynvml.nvmlDeviceGetTemperatureV, pynvml.NVML_TEMPERATURE_GPU))
        except SourceFailed as failure:
            if failure.missing.missing != "function_not_found":
                raise
            return float(self._ask("temperature", pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU))

    def throttle_reasons(self) -> tuple[str, ...]:
        bits = self._ask("throttle reasons", pynvml.nvmlDeviceGetCurrentClocksEventReasons)
        return tuple(name for bit, name in THROTTLE_REASONS.items() if bits & bit)

    def held_back_s(self) -> tuple[float, float]:
        """Seconds, since the driver was loaded, in which the power cap and heat held the clocks back."""
        power, thermal = self._fields("time held back", *HELD_BACK)
        return power / 1e9, thermal / 1e9

    def processes(self) -> frozenset[int]:
        """Ids of the processes on the card, as its host numbers them: in a container not as we do.

        Where the Multi-Process Service runs, its server is among them; its clients stand in a list of their own.
        """
        compute = self._ask("compute processes", pynvml.nvmlDeviceGetComputeRunningProcesses_v3)
        graphics = self._ask("graphics processes", pynvml.nvmlDeviceGetGraphicsRunningProcesses_v3)
        served = known(lambda: self._ask("MPS clients", pynvml.nvmlDeviceGetMPSComputeRunningProcesses_v3))
        clients = () if isinstance(served, Missing) else served  # what has no such service has no clients of it
        return frozenset(process.pid for process in (*compute, *graphics, *clients))

    def busy_fraction(self) -> float:
        return self._ask("utilisation", pynvml.nvmlDeviceGetUtilizationRates).gpu / 100

    def capability(self) -> tuple[int, int]:
        return self._ask("compute capability", pynvml.nvmlDeviceGetCudaComputeCapability)

    def driver(self) -> str:
        return _ask(self.clock, "the driver's version", self.name, pynvml.nvmlSystemGetDriverVersion)

    def library(self) -> str:
        return _ask(self.clock, "NVML's version", self.name, pynvml.nvmlSystemGetNVMLVersion)

    def uuid(self) -> str:
        return self._ask("UUID", pynvml.nvmlDeviceGetUUID)

    def pci(self) -> str:
        return self._ask("the bus address", pynvml.nvmlDeviceGetPciInfo_v3).busId

    def vbios(self) -> str:
        return self._ask("the VBIOS version", pynvml.nvmlDeviceGetVbiosVersion)

    def ecc(self) -> bool:
        return bool(self._ask("ECC", pynvml.nvmlDeviceGetEccMode)[0])

    def virtualization(self) -> str:
        mode = self._ask("virtualization", pynvml.nvmlDeviceGetVirtualizationMode)
        return {0: "none", 1: "passthrough", 2: "vgpu", 3: "host_vgpu", 4: "host_vsga"}.get(mode, str(mode))

    def persistence(self) -> bool:
        return bool(self._ask("persistence mode", pynvml.nvmlDeviceGetPersistenceMode))

    def power_limit_w(self) -> float:
        return self._ask("the power limit", pynvml.nvmlDeviceGetEnforcedPowerLimit) / 1e3

    def default_power_limit_w(self) -> float:
        return self._ask("the default power limit", pynvml.nvmlDeviceGetPowerManagementDefaultLimit) / 1e3

    def lock_clocks(self, clock_hz: float | None) -> None:
        """Hold the SM clock at `clock_hz`, or at the base clock where it is None; needs root."""
        mhz = pynvml.NVML_CLOCK_LIMIT_ID_TDP if clock_hz is None else round(clock_hz / 1e6)
        self._ask("locking the clocks", pynvml.nvmlDeviceSetGpuLockedClocks, mhz, mhz)

    def unlock_clocks(self) -> None:
        self._ask("unlocking the clocks", pynvml.nvmlDeviceResetGpuLockedClocks)

    def _ask(self, what: str, call: Callable[..., Any], *arguments: object) -> Any:
        return _ask(self.clock, what, self.name, call, self.handle, *arguments)

    def _fields(self, what: str, *fields: int | tuple[int, int]) -> list[float]:
        return self._ask(what, _field_values, list(fields))


def known(ask: Callable[[], T]) -> Known[T]:
    """What a card answers, or why it does not."""
    try:
        return ask()
    except SourceFailed as failure:
        return failure.missing


def _field_values(handle: Any, fields: list[int | tuple[int, int]]) -> list[float]:
    values = pynvml.nvmlDeviceGetFieldValues(handle, fields)
    for value in values:  # each field fails for itself, while the call succeeds
        if value.nvmlReturn != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(value.nvmlReturn)
    return [_number(value) for value in values]


def _number(value: Any) -> float:
    # A field says by its type which member of the union holds it; the wrong one reads as nonsense.
    member = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")[value.valueType]
    return float(getattr(value.value, member))


def _ask(clock: Clock, what: str, name: str, call: Callable[..., T], *arguments: object) -> T:
    try:
        return _patiently(clock, call, *arguments)
    except pynvml.NVMLError as error:
        raise SourceFailed(reasons.no_answer(error.value, what, name)) from None


def _patiently(clock: Clock, call: Callable[..., T], *arguments: object) -> T:
    """Ask again where NVML is not ready, as an H100 PCIe is seen to be after a pause."""
    for _ in range(NOT_READY_TRIES):
        try:
            return call(*arguments)
        except pynvml.NVMLError as error:
            if error.value != reasons.NOT_READY:
                raise
            clock.sleep_s(NOT_READY_PAUSE_S)
    return call(*arguments)


def _library_version() -> str:
    try:
        return pynvml.nvmlSystemGetNVMLVersion()
    except pynvml.NVMLError:
        return "(unknown)"
