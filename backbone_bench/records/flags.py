"""Flags: what was odd while a record was made, and should be known before one of its numbers is quoted."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

Flag = Literal[
    "aliasing_risk", "allocator_active", "auto_batch", "clocks_unlocked", "host_busy", "hw_slowdown",
    "isolation_unchecked", "memory_shared", "mig_slice", "nan_output", "not_steady", "output_not_repeatable",
    "phase_shifted", "power_capped", "shared_gpu", "sources_disagree", "thermal",
]  # fmt: skip

MEANINGS: Mapping[str, str] = {
    "aliasing_risk": "the power sensor may have seen the same part of every run, and energy may be off by some percent",
    "allocator_active": "the device's allocator asked for memory while it was timed",
    "auto_batch": "the batch is the largest power of two that fitted",
    "clocks_unlocked": "the GPU chose its clocks itself; --lock-clocks holds them",
    "host_busy": "others worked on this process's cores while it was timed; measure on a quiet machine",
    "hw_slowdown": "the GPU's own protection or a power brake slowed it down",
    "isolation_unchecked": "whether others used the GPU is not known",
    "memory_shared": "the peak of memory holds tensors of the program as well",
    "mig_slice": "only a slice of the GPU was ours",
    "nan_output": "the output holds NaN or infinity",
    "not_steady": "times had not settled when the warm-up ended",
    "output_not_repeatable": "two calls on one input differ (dropout?), so the graph's output could not be checked",
    "phase_shifted": "the load was shifted against a power sensor that looks away part of the time",
    "power_capped": "the power limit held the clocks back",
    "shared_gpu": "other processes used the GPU",
    "sources_disagree": "energy by the counter and by the power sensor differ",
    "thermal": "heat held the clocks back",
}

# What other fields say and is shown among the flags: the status of a latency, and a count whose `path` is cpu.
ELSEWHERE: Mapping[str, str] = {
    "quick": "a first answer from few samples",
    "timeout": "time was up before the interval was as narrow as wanted; a larger --budget narrows it",
    "values_needed": "it does not run on shapes alone and was counted on random values; others may cost more or less",
}


def meanings(told: Iterable[str]) -> str:
    """What the flags and the like mean that stand in these texts, each said once; empty where there are none."""
    known = {**ELSEWHERE, **MEANINGS}
    words = dict.fromkeys(word for text in told for word in re.findall(r"\w+", text) if word in known)
    return " ".join(f"{word}: {known[word]}." for word in words)
