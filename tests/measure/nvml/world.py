"""A simulated machine with a GPU: virtual time, a device that works and uses power, and the NVML stub that reads it.

The structures mirror those of stub.c and map the same file.
"""

import ctypes
import mmap
import os
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

from backbone_bench.base.choices import LatencyMode
from backbone_bench.measure.nvml.card import Identity
from backbone_bench.measure.protocols import CaptureFailed, EventsFailed, HoldFailed
from backbone_bench.records import Known, Memory, Missing

TRACE, LOG, FAULTS = 1 << 16, 1 << 16, 16
FOR_EVER = -1
NAME = "NVIDIA A100-SXM4-40GB"
UUID = "5d7a3c1e-0b6f-4f5e-9c55-2f1e6a9d0c11"
PCI = "00000000:81:00.0"


class Sensor(ctypes.Structure):
    _fields_ = (("period_s", ctypes.c_double), ("averaging_s", ctypes.c_double))


class Gpu(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char * 96), ("uuid", ctypes.c_char * 96), ("pci", ctypes.c_char * 32),
        ("mig_enabled", ctypes.c_int32), ("slice_of", ctypes.c_int32),
        ("counter", Sensor), ("instant", Sensor), ("usage", Sensor),
        ("frozen_at_s", ctypes.c_double), ("back_at_s", ctypes.c_double),
        ("sm_mhz", ctypes.c_uint32), ("memory_mhz", ctypes.c_uint32), ("temperature_c", ctypes.c_uint32),
        ("locked_mhz", ctypes.c_uint32), ("power_limit_mw", ctypes.c_uint32), ("persistence", ctypes.c_uint32),
        ("busy_percent", ctypes.c_uint32), ("capability", ctypes.c_uint32 * 2),
        ("reasons", ctypes.c_uint64), ("capped_ns", ctypes.c_uint64), ("hot_ns", ctypes.c_uint64),
        ("compute_pids", ctypes.c_uint32 * 4), ("computes", ctypes.c_uint32),
        ("graphics_pids", ctypes.c_uint32 * 4), ("graphics", ctypes.c_uint32),
        ("mps_pids", ctypes.c_uint32 * 4), ("mps", ctypes.c_uint32),
        ("gpm", ctypes.c_uint32), ("bus_bits", ctypes.c_uint32), ("gpm_percent", ctypes.c_double * 5),
        ("steps", ctypes.c_int32),
        ("at_s", ctypes.c_double * TRACE), ("watts", ctypes.c_double * TRACE), ("joules", ctypes.c_double * TRACE),
    )  # fmt: skip


class Fault(ctypes.Structure):
    _fields_ = (("call", ctypes.c_char * 64), ("code", ctypes.c_int32), ("times", ctypes.c_int32))


class State(ctypes.Structure):
    _fields_ = (
        ("now_s", ctypes.c_double), ("call_s", ctypes.c_double), ("lost_at_s", ctypes.c_double),
        ("faults", ctypes.c_int32), ("calls", ctypes.c_int32), ("fault", Fault * FAULTS),
        ("called_at_s", ctypes.c_double * LOG), ("driver", ctypes.c_char * 32), ("library", ctypes.c_char * 32),
        ("gpus", Gpu * 3),
    )  # fmt: skip


class World:
    """Virtual time and the state of the stub. The card under test is the second one that NVML lists."""

    def __init__(self, path: Path) -> None:
        """Create the state in a new file, or map that of an existing file."""
        new = not path.exists()
        path.touch()
        with path.open("r+b") as file:
            file.truncate(ctypes.sizeof(State))
            self.state = State.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(State)))
        self.path = path
        if new:
            self.reset()

    def reset(self, now_s: float = 100.0) -> None:
        """Two healthy idle cards. This process works on the second one; no other process uses a card."""
        state = self.state
        state.now_s, state.call_s, state.lost_at_s, state.faults, state.calls = now_s, 30e-6, inf, 0, 0
        state.driver, state.library = b"580.95.05", b"13.580.95.05"
        for gpu, name, uuid, pci in (
            (state.gpus[0], "NVIDIA T400", "11111111-1111-1111-1111-111111111111", "00000000:01:00.0"),
            (state.gpus[1], NAME, UUID, PCI),
        ):
            gpu.name, gpu.uuid, gpu.pci = name.encode(), f"GPU-{uuid}".encode(), pci.encode()
            _healthy(gpu, now_s)
        state.gpus[2].name = b""
        state.gpus[1].compute_pids[0], state.gpus[1].computes = os.getpid(), 1

    @property
    def gpu(self) -> Gpu:
        return self.state.gpus[1]

    @property
    def identity(self) -> Identity:
        """Identity of the card under test, as torch would give it."""
        return Identity(NAME, UUID, PCI)

    def now_s(self) -> float:
        return self.state.now_s

    def sleep_s(self, seconds: float) -> None:
        self.state.now_s += max(0.0, seconds)

    def fail(self, call: str, code: int, times: int = FOR_EVER) -> None:
        """Make an NVML call, or `field N`, fail with a code, `times` times."""
        fault = self.state.fault[self.state.faults]
        fault.call, fault.code, fault.times = call.encode(), code, times
        self.state.faults += 1

    def slice_card(self) -> Identity:
        """Switch MIG on, and return the identity of the slice as torch would give it."""
        card, part = self.state.gpus[1], self.state.gpus[2]
        part.name, part.uuid, part.slice_of = card.name, f"MIG-{UUID[::-1]}".encode(), 1
        card.mig_enabled = 1
        return Identity(f"{NAME} MIG 1g.5gb", UUID[::-1], None)

    def called_at_s(self) -> list[float]:
        """Times of all NVML calls."""
        return list(self.state.called_at_s[: self.state.calls])


def _healthy(gpu: Gpu, now_s: float) -> None:
    gpu.mig_enabled, gpu.slice_of = 0, -1
    gpu.counter = gpu.instant = gpu.usage = Sensor(0.1, 0.1)
    gpu.frozen_at_s = gpu.back_at_s = inf
    gpu.sm_mhz, gpu.memory_mhz, gpu.temperature_c, gpu.locked_mhz = 1410, 1215, 41, 0
    gpu.power_limit_mw, gpu.persistence, gpu.busy_percent = 400_000, 1, 0
    gpu.capability[0], gpu.capability[1] = 8, 6  # sensors that sample all of the time, unlike those of the named card
    gpu.gpm, gpu.bus_bits = 0, 5120  # only cards from Hopper on count what their parts do
    gpu.reasons = gpu.capped_ns = gpu.hot_ns = gpu.computes = gpu.graphics = gpu.mps = 0
    gpu.at_s[0], gpu.watts[0], gpu.joules[0], gpu.steps = now_s - 60, 60.0, 0.0, 1


class Draw:
    """Writes the power of a card into the stub, as a step function of time."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu

    def from_s(self, at_s: float, watts: float) -> None:
        """Set the power from a moment on, which is not before the last one."""
        gpu, last = self._gpu, self._gpu.steps - 1
        if gpu.at_s[last] >= at_s - 1e-12:
            gpu.watts[last] = watts
            if last and gpu.watts[last - 1] == watts:  # no step: a steady power of any length is one entry
                gpu.steps = last
            return
        if gpu.watts[last] == watts:
            return
        assert last + 1 < TRACE, "the trace is full"
        gpu.joules[last + 1] = gpu.joules[last] + gpu.watts[last] * (at_s - gpu.at_s[last])
        gpu.at_s[last + 1], gpu.watts[last + 1] = at_s, watts
        gpu.steps = last + 2

    def joules(self, to_s: float) -> float:
        """Energy up to a moment at or after the last step."""
        last = self._gpu.steps - 1
        return self._gpu.joules[last] + self._gpu.watts[last] * (to_s - self._gpu.at_s[last])


class Mark:
    """Simulated event."""

    def __init__(self, device: "Device") -> None:
        self._device, self._at_s = device, 0.0

    def record(self) -> None:
        self._at_s = self._device.free_s

    def wait(self) -> None:
        self._device.world.sleep_s(self._at_s - self._device.world.now_s())

    def done(self) -> bool:
        self._device.world.sleep_s(1e-6)
        return self._device.world.now_s() >= self._at_s

    def elapsed_s_since(self, earlier: "Mark") -> float:
        return self._at_s - earlier._at_s


class Device:
    """Simulated device: runs a queue in virtual time. A run uses power by its shape; between runs the card idles.

    `shape`: parts of a run as share of time and watts. `gain`: factor on the power of the nth run.
    """

    name = "cuda:0"
    is_host = False
    modes: tuple[LatencyMode, ...] = ("wall", "device", "graph")
    cache_bytes: Known[int] = Missing("scripted", "a scripted device has no cache")
    launch_queue: int | None = None

    def __init__(
        self,
        world: World,
        run_s: float = 0.005,
        shape: Sequence[tuple[float, float]] = ((0.7, 300.0), (0.3, 200.0)),
        gain: Callable[[int], float] = lambda run: 1.0,
        *,
        events: bool = True,
    ) -> None:
        self.world, self.run_s, self.shape, self.gain, self.events = world, run_s, shape, gain, events
        self.draw = Draw(world.gpu)
        self.idle_w, self.launch_s = 60.0, 20e-6
        self.free_s = world.now_s()
        self.launched = 0

    def step(self) -> None:
        """Launch a run."""
        self.world.sleep_s(self.launch_s)
        at_s = max(self.free_s, self.world.now_s())
        gain = self.gain(self.launched)
        self.launched += 1
        for share, watts in self.shape:
            self.draw.from_s(at_s, watts * gain)
            at_s += share * self.run_s
        self.draw.from_s(at_s, self.idle_w)
        self.free_s = at_s

    def now_s(self) -> float:
        return self.world.now_s()

    def synchronize(self) -> None:
        self.world.sleep_s(self.free_s - self.world.now_s())

    def event(self) -> Mark:
        if not self.events:
            raise EventsFailed(Missing("no_events", "a scripted device without events"))
        return Mark(self)

    def allocations(self) -> int:
        return 0

    def flush_cache(self) -> None:
        """Do nothing."""

    def hold(self, seconds: float) -> None:
        raise HoldFailed(Missing("no_hold", "a scripted device cannot be held"))

    def capture(self, step: Callable[[], object]) -> Callable[[], object]:
        raise CaptureFailed(Missing("capture_failed", "a scripted device captures nothing"))

    def finite(self, output: object) -> bool:
        return True

    def agree(self, one: object, other: object) -> bool:
        return True

    def leave_out_memory_in_use(self) -> None:
        """Do nothing."""

    def mark_memory(self) -> None:
        """Do nothing."""

    def reset_peak(self) -> None:
        """Do nothing."""

    def memory(self) -> Memory:
        none = Missing("scripted", "a scripted device has no memory")
        return Memory(none, none, none)

    def others_s(self) -> float:
        return 0.0

    @property
    def run_j(self) -> float:
        """True energy of one run."""
        return sum(share * self.run_s * watts for share, watts in self.shape)
