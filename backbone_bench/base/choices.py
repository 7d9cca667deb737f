"""What a setting can be, each list written once: the command line, settings, jobs and records take them from here."""

from typing import Literal

Mode = Literal["eval", "train"]
Precision = Literal["fp32", "tf32", "fp16", "bf16", "amp"]
MemoryFormat = Literal["contiguous", "channels_last"]
CacheState = Literal["warm", "cold"]  # cold: the last-level cache is emptied before every call
EnergyWish = Literal["auto", "off", "required"]
EnergyProtocol = Literal["steady", "paper"]  # paper: also as the VoVNet paper took it
SourceName = Literal["counter", "power_instant", "power_usage", "rapl"]  # of power or energy

DeviceKind = Literal["gpu", "cpu"]  # that a claim or a published measurement is about
Tracker = Literal["github-action-benchmark", "bencher"]  # that keep the history of a gate's quantities

HOST = "cpu"


def is_host(device: str) -> bool:
    """Whether a device's name is that of the CPU, which has no events, no graphs and no allocator to ask."""
    return device.partition(":")[0] == HOST
