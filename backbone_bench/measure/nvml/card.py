"""NVML calls for one card. The card is found by its UUID or bus address, never by an index.

CUDA numbers the fastest card first and NVML the lowest bus address, so one index
can mean two cards. Every failed call becomes a SourceFailed whose `missing` has a
stable id and a sentence with the remedy. NVML's units become base units here and
nowhere else. It has run on an NVIDIA H200, and is tested against a stub of the
driver's library.
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
POWER_INSTANT = 186  # NVML field id of the instantaneous power, in milliwatts
# NVML field ids of the time, in nanoseconds, that the power limit and the temperature limit held the clocks back.
HELD_BACK = (74, 75)  # the newer counters changed their ids between drivers (251-253, then 269-271)
# Activity counters (GPM): multiprocessors, their occupancy, tensor cores, memory bandwidth, fp32 units; in percent.
ACTIVITY = (2, 3, 5, 10, 12)
THROTTLE_REASONS = {
    0x01: "gpu_idle", 0x02: "applications_clocks_setting", 0x04: "sw_power_cap", 0x08: "hw_slowdown",
    0x10: "sync_boost", 0x20: "sw_thermal_slowdown", 0x40: "hw_thermal_slowdown", 0x80: "hw_power_brake",
    0x100: "display_clock_setting",
}  # fmt: skip


class Identity(NamedTuple):
    """The card that torch computes on, as torch describes it."""

    name: str
    uuid: str | None  # without a prefix, as torch gives it, or with NVML's prefix
    pci: str | None  # domain:bus:device.function


def open_card(identity: Identity, clock: Clock, root: Path = Path("/")) -> "Known[Card]":
    """Open the card with this UUID, or else with this bus address. Missing if the names in NVML and torch differ."""
    if (root / "etc/nv_tegra_release").exists():
        return reasons.JETSON
    if not hasattr(pynvml, "nvmlDeviceGetFieldValues"):
        return reasons.wrong_pynvml(pynvml.__file__)
    try:
        _retry_until_ready(clock, pynvml.nvmlInit)
    except pynvml.NVMLError as error:
        return reasons.no_library(error.value, _library_version(), system.nvidia_module(root) or "(unknown)")
    try:
        return _card_of_same_name(identity, *_find(identity, clock), clock)
    except SourceFailed as failure:
        return failure.missing


def _card_of_same_name(identity: Identity, handle: Any, sliced: bool, clock: Clock) -> "Known[Card]":
    name = _call(clock, "the name", identity.name, pynvml.nvmlDeviceGetName, handle)
    # Torch adds the MIG slice to the name: "NVIDIA A100-SXM4-40GB MIG 1g.5gb".
    if name != identity.name and not (sliced and identity.name.startswith(name)):
        return reasons.name_differs(name, identity.name)
    return Card(name, handle, sliced, clock)


def _find(identity: Identity, clock: Clock) -> tuple[Any, bool]:
    """Handle of the whole card, and whether this process has only a MIG slice of it."""
    refused: Missing | None = None
    for find, key in _lookups(identity):
        try:
            handle = find(key.encode())
        except pynvml.NVMLError as error:  # a user of a MIG slice may lack the right to see the whole card
            if refused is None and error.value not in reasons.NOT_FOUND:
                refused = reasons.no_answer(error.value, "finding the card", identity.name)
        else:
            return _whole_card(handle, identity, clock)
    raise SourceFailed(refused or reasons.unknown_to_nvml(identity.name, identity.uuid))


def _lookups(identity: Identity) -> Iterator[tuple[Callable[[bytes], Any], str]]:
    if identity.uuid:
        bare = re.sub(r"^(GPU|MIG)-", "", identity.uuid)
        for prefix in ("GPU-", "MIG-"):  # torch leaves the prefix out
            yield pynvml.nvmlDeviceGetHandleByUUID, prefix + bare
    if identity.pci:
        yield pynvml.nvmlDeviceGetHandleByPciBusId, identity.pci


def _whole_card(handle: Any, identity: Identity, clock: Clock) -> tuple[Any, bool]:
    call = partial(_call, clock, "MIG", identity.name)
    try:
        if call(pynvml.nvmlDeviceIsMigDeviceHandle, handle).value:
            return call(pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, handle), True
        return handle, call(pynvml.nvmlDeviceGetMigMode, handle)[0] == pynvml.NVML_DEVICE_MIG_ENABLE
    except SourceFailed as failure:
        if failure.missing.missing in ("not_supported", "function_not_found"):  # no MIG on this card or driver
            return handle, False
        raise


@dataclass(frozen=True, slots=True)
class Card:
    """A whole card. `sliced`: this process has only a MIG slice of it, but power is that of the whole card."""

    name: str
    handle: Any
    sliced: bool
    clock: Clock

    def energy_j(self) -> float:
        """Energy counter: joules since the driver was loaded."""
        return self._call("the energy counter", pynvml.nvmlDeviceGetTotalEnergyConsumption) / 1e3

    def power_instant_w(self) -> float:
        """Instantaneous power of the GPU alone (scope 0): the shortest average that the card has."""
        (milliwatts,) = self._fields("instant power", (POWER_INSTANT, pynvml.NVML_POWER_SCOPE_GPU))
        return milliwatts / 1e3

    def power_usage_w(self) -> float:
        """Power as nvidia-smi shows it. The averaging time differs by architecture."""
        return self._call("power usage", pynvml.nvmlDeviceGetPowerUsage) / 1e3

    def sm_clock_hz(self) -> float:
        return self._call("the SM clock", pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_SM) * 1e6

    def memory_clock_hz(self) -> float:
        return self._call("the memory clock", pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_MEM) * 1e6

    def max_sm_clock_hz(self) -> float:
        return self._call("the highest SM clock", pynvml.nvmlDeviceGetMaxClockInfo, pynvml.NVML_CLOCK_SM) * 1e6

    def max_memory_clock_hz(self) -> float:
        return self._call("the highest memory clock", pynvml.nvmlDeviceGetMaxClockInfo, pynvml.NVML_CLOCK_MEM) * 1e6

    def temperature_c(self) -> float:
        """Temperature of the GPU. CUDA 14 keeps only the first call; older drivers have only the second."""
        try:
            return float(self._call("temperature", pynvml.nvmlDeviceGetTemperatureV, pynvml.NVML_TEMPERATURE_GPU))
        except SourceFailed as failure:
            if failure.missing.missing != "function_not_found":
                raise
            return float(self._call("temperature", pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU))

    def throttle_reasons(self) -> tuple[str, ...]:
        bits = self._call("throttle reasons", pynvml.nvmlDeviceGetCurrentClocksEventReasons)
        return tuple(name for bit, name in THROTTLE_REASONS.items() if bits & bit)

    def held_back_s(self) -> tuple[float, float]:
        """Seconds with clocks reduced by the power limit, and by the temperature limit, since the driver was loaded."""
        power, thermal = self._fields("time held back", *HELD_BACK)
        return power / 1e9, thermal / 1e9

    def processes(self) -> frozenset[int]:
        """Ids of the processes on the card, numbered by the host: in a container, our own id differs.

        If the Multi-Process Service runs, its server is in the compute list and its clients are in a list of their own.
        """
        compute = self._call("compute processes", pynvml.nvmlDeviceGetComputeRunningProcesses_v3)
        graphics = self._call("graphics processes", pynvml.nvmlDeviceGetGraphicsRunningProcesses_v3)
        mps_clients = known(lambda: self._call("MPS clients", pynvml.nvmlDeviceGetMPSComputeRunningProcesses_v3))
        clients = () if isinstance(mps_clients, Missing) else mps_clients  # without the service there are none
        return frozenset(process.pid for process in (*compute, *graphics, *clients))

    def counts_activity(self) -> bool:
        """Whether the card counts what its parts do (GPM): from Hopper on."""
        return bool(self._call("its activity counters", pynvml.nvmlGpmQueryDeviceSupport).isSupportedDevice)

    def activity_sample(self) -> Any:
        """The activity counters now; `activity` compares two samples and frees both."""
        sample = _call(self.clock, "its activity counters", self.name, pynvml.nvmlGpmSampleAlloc)
        return self._call("its activity counters", pynvml.nvmlGpmSampleGet, sample)

    def activity(self, earlier: Any, later: Any) -> list[float]:
        """Means between two samples, in the order of `ACTIVITY`, as shares."""
        try:
            return _call(self.clock, "its activity counters", self.name, _activity, earlier, later)
        finally:
            for sample in (earlier, later):
                pynvml.nvmlGpmSampleFree(sample)

    def memory_bus_bits(self) -> int:
        return int(self._call("the width of its memory bus", pynvml.nvmlDeviceGetMemoryBusWidth))

    def busy_fraction(self) -> float:
        return self._call("utilisation", pynvml.nvmlDeviceGetUtilizationRates).gpu / 100

    def capability(self) -> tuple[int, int]:
        return self._call("compute capability", pynvml.nvmlDeviceGetCudaComputeCapability)

    def driver(self) -> str:
        return _call(self.clock, "the driver's version", self.name, pynvml.nvmlSystemGetDriverVersion)

    def library(self) -> str:
        return _call(self.clock, "NVML's version", self.name, pynvml.nvmlSystemGetNVMLVersion)

    def uuid(self) -> str:
        return self._call("UUID", pynvml.nvmlDeviceGetUUID)

    def pci(self) -> str:
        return self._call("the bus address", pynvml.nvmlDeviceGetPciInfo_v3).busId

    def vbios(self) -> str:
        return self._call("the VBIOS version", pynvml.nvmlDeviceGetVbiosVersion)

    def ecc(self) -> bool:
        return bool(self._call("ECC", pynvml.nvmlDeviceGetEccMode)[0])

    def virtualization(self) -> str:
        mode = self._call("virtualization", pynvml.nvmlDeviceGetVirtualizationMode)
        return {0: "none", 1: "passthrough", 2: "vgpu", 3: "host_vgpu", 4: "host_vsga"}.get(mode, str(mode))

    def persistence(self) -> bool:
        return bool(self._call("persistence mode", pynvml.nvmlDeviceGetPersistenceMode))

    def power_limit_w(self) -> float:
        return self._call("the power limit", pynvml.nvmlDeviceGetEnforcedPowerLimit) / 1e3

    def default_power_limit_w(self) -> float:
        return self._call("the default power limit", pynvml.nvmlDeviceGetPowerManagementDefaultLimit) / 1e3

    def lock_clocks(self, clock_hz: float | None) -> None:
        """Lock the SM clock at `clock_hz`, or at the base clock if it is None. Needs root."""
        mhz = pynvml.NVML_CLOCK_LIMIT_ID_TDP if clock_hz is None else round(clock_hz / 1e6)
        self._call("locking the clocks", pynvml.nvmlDeviceSetGpuLockedClocks, mhz, mhz)

    def unlock_clocks(self) -> None:
        self._call("unlocking the clocks", pynvml.nvmlDeviceResetGpuLockedClocks)

    def _call(self, what: str, call: Callable[..., Any], *arguments: object) -> Any:
        return _call(self.clock, what, self.name, call, self.handle, *arguments)

    def _fields(self, what: str, *fields: int | tuple[int, int]) -> list[float]:
        return self._call(what, _field_values, list(fields))


def known(read: Callable[[], T]) -> Known[T]:
    """The value that `read` returns, or Missing with the reason if NVML fails."""
    try:
        return read()
    except SourceFailed as failure:
        return failure.missing


def _field_values(handle: Any, fields: list[int | tuple[int, int]]) -> list[float]:
    values = pynvml.nvmlDeviceGetFieldValues(handle, fields)
    for value in values:  # each field has an error code of its own, although the call succeeds
        if value.nvmlReturn != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(value.nvmlReturn)
    return [_number(value) for value in values]


def _activity(earlier: Any, later: Any) -> list[float]:
    asked = pynvml.c_nvmlGpmMetricsGet_t()
    asked.version, asked.numMetrics = pynvml.NVML_GPM_METRICS_GET_VERSION, len(ACTIVITY)
    asked.sample1, asked.sample2 = earlier, later
    for place, metric in enumerate(ACTIVITY):
        asked.metrics[place].metricId = metric
    pynvml.nvmlGpmMetricsGet(asked)
    found = asked.metrics[: len(ACTIVITY)]
    for metric in found:  # each has an error code of its own
        if metric.nvmlReturn != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(metric.nvmlReturn)
    return [metric.value / 100 for metric in found]


def _number(value: Any) -> float:
    # The type of a field says which member of the union holds its value; any other member holds garbage.
    member = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")[value.valueType]
    return float(getattr(value.value, member))


def _call(clock: Clock, what: str, name: str, call: Callable[..., T], *arguments: object) -> T:
    try:
        return _retry_until_ready(clock, call, *arguments)
    except pynvml.NVMLError as error:
        raise SourceFailed(reasons.no_answer(error.value, what, name)) from None


def _retry_until_ready(clock: Clock, call: Callable[..., T], *arguments: object) -> T:
    """Repeat a call while NVML is not ready, as seen on an H100 PCIe after a pause."""
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
