"""Flags: facts about a measurement that a reader should know before quoting a number of its record."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

Flag = Literal[
    "aliasing_risk", "allocator_active", "auto_batch", "below_idle", "clocks_unlocked", "host_busy", "hw_slowdown",
    "isolation_unchecked", "load_slowed", "memory_shared", "mig_slice", "nan_output", "not_steady",
    "output_not_repeatable", "phase_shifted", "power_capped", "shared_gpu", "sources_disagree", "thermal",
]  # fmt: skip

MEANINGS: Mapping[str, str] = {
    "aliasing_risk": "the power sensor may have read the same part of every run; energy may be off by several percent",
    "allocator_active": "the device's memory allocator requested memory during timing",
    "auto_batch": "the batch is the largest power of two that fits in memory",
    "below_idle": "the power under load is below the measured idle power, so one of the two is wrong",
    "clocks_unlocked": "the clocks of the GPU were not locked and may have changed; --lock-clocks locks them",
    "host_busy": "other processes used this process's CPU cores during timing; measure on an idle machine",
    "hw_slowdown": "the GPU's hardware protection or a power brake slowed it down",
    "isolation_unchecked": "it is not known whether other processes used the GPU",
    "load_slowed": "reading the power source slowed the runs by more than 0.5 %",
    "memory_shared": "the peak memory includes other tensors of the calling program",
    "mig_slice": "the model ran on a MIG slice, not on the whole GPU",
    "nan_output": "the output of the model contains NaN or infinity",
    "not_steady": "latency had not reached a steady state when the warm-up ended",
    "output_not_repeatable": "two calls on one input differ (dropout?), so the graph's output could not be checked",
    "phase_shifted": "the power sensor averages only part of the time, so the load was shifted to cover whole runs",
    "power_capped": "the power limit lowered the clocks",
    "shared_gpu": "other processes used the GPU during the measurement",
    "sources_disagree": "the energy counter and the power sensor gave different energies",
    "thermal": "a high temperature lowered the clocks",
}

# Not flags, but shown among them: the status of a latency, and a count whose `path` is cpu.
STATUS_MEANINGS: Mapping[str, str] = {
    "quick": "a preliminary result from few samples",
    "timeout": "the time budget ended before the 95 % confidence interval was narrow enough; raise --budget",
    "values_needed": "the model needs input values and was counted on random ones; other values may cost more or less",
}


def meanings(texts: Iterable[str]) -> str:
    """The meanings of all flags that occur in these texts, each once; empty if none occurs."""
    known = {**STATUS_MEANINGS, **MEANINGS}
    words = dict.fromkeys(word for text in texts for word in re.findall(r"\w+", text) if word in known)
    return " ".join(f"{word}: {known[word]}." for word in words)
