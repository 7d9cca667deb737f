"""The allowed values of each setting, written once; the command line, settings, jobs and records import them."""

from typing import Literal

Mode = Literal["eval", "train"]
Optimizer = Literal["sgd", "adamw"]
Precision = Literal["fp32", "tf32", "fp16", "bf16", "amp"]
HALF_TYPES = {"fp16": "float16", "bf16": "bfloat16"}  # precisions in which the whole model has another type
MemoryFormat = Literal["contiguous", "channels_last"]
CacheState = Literal["warm", "cold"]  # cold: the last-level cache is emptied before every call
EnergyRequest = Literal["auto", "off", "required"]
EnergyProtocol = Literal["steady", "paper"]  # paper: also by the protocol of the VoVNet paper (section 4.1)
SourceName = Literal["counter", "power_instant", "power_usage", "rapl"]  # where power or energy is read
SourceRequest = Literal["auto", SourceName]
EnergyMode = Literal["graph", "wall"]  # which runs an energy is of: replays of a graph, or calls that are waited for
EnergyOf = Literal[EnergyMode, "both"]
LatencyMode = Literal["wall", "device", "graph"]
Allocator = Literal["kept", "default"]  # kept: glibc gives no memory back to the system between calls
DeviceMethod = Literal["filled_queue", "eager_events"]  # how a device latency was taken; see records/latency.py

EngineName = Literal["local", "slurm", "ray"]  # who places the rows of a fleet
# exclusive: one row has a whole node; side_by_side: one row a card, and only rows of this fleet; shared: with anybody
Sharing = Literal["exclusive", "side_by_side", "shared"]

DeviceKind = Literal["gpu", "cpu"]  # the kind that a claim or a published measurement is about
Tracker = Literal["github-action-benchmark", "bencher"]  # services that store the history of a gate's quantities

HOST = "cpu"


def is_host(device: str) -> bool:
    """Whether a device name means the CPU, which has no events, no graphs and no allocator statistics."""
    return device.partition(":")[0] == HOST
