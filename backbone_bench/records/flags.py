"""Flags: facts about a measurement that a reader should know before quoting a number of its record."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

Flag = Literal[
    "aliasing_risk", "allocator_active", "auto_batch", "batch_guessed", "below_idle", "clocks_unlocked", "host_busy",
    "hw_slowdown", "isolation_unchecked", "load_slowed", "memory_shared", "mig_slice", "mixed_versions", "nan_output",
    "not_steady", "output_not_repeatable", "phase_shifted", "power_capped", "samples_repeated", "shared_gpu",
    "shared_node", "sources_disagree", "thermal", "warm_up_cut_short",
]  # fmt: skip
# Not flags of a measurement, but seen in the record beside them.
Finding = Literal[
    "count_varies",
    "device_above_wall",
    "eager_events",
    "failed",
    "faults_differ",
    "few_samples",
    "launch_bound",
    "quick",
    "slow_turns",
    "values_needed",
]
QuoteGrade = Literal["quote", "with care", "do not quote"]


class FlagMeaning(NamedTuple):
    """What a flag means, and how far a row that has it can still be quoted."""

    grade: QuoteGrade
    meaning: str


FLAGS: Mapping[str, FlagMeaning] = {
    "aliasing_risk": FlagMeaning(
        "with care",
        "the power sensor may have read the same part of every run; energy may be off by several percent",
    ),
    "allocator_active": FlagMeaning("with care", "the device's memory allocator requested memory during timing"),
    "auto_batch": FlagMeaning("quote", "the batch is the largest power of two that fits in memory"),
    "batch_guessed": FlagMeaning(
        "with care",
        "the example inputs do not show the batch, and all figures per image depend on it: let the model say it with "
        "an attribute example_batch, or give --batch-size",
    ),
    "below_idle": FlagMeaning(
        "do not quote", "the power under load is below the measured idle power, so one of the two is wrong"
    ),
    "clocks_unlocked": FlagMeaning(
        "with care", "the clocks of the GPU were not locked and may have changed; --lock-clocks locks them"
    ),
    "count_varies": FlagMeaning(
        "with care",
        "the model makes random choices that change its counts: these are the counts of one seed",
    ),
    "device_above_wall": FlagMeaning(
        "do not quote", "the device's time of a call is longer than the time that its caller waits"
    ),
    "eager_events": FlagMeaning(
        "with care",
        "device latency was taken around an eager call, so it holds the time of a slow host too: it is not device work",
    ),
    "failed": FlagMeaning("do not quote", "the row ended before all of it was measured"),
    "faults_differ": FlagMeaning(
        "with care",
        "the processes of a round had unequal numbers of page faults in a call, so the system's memory is part of the "
        "difference",
    ),
    "few_samples": FlagMeaning("with care", "too few samples for a 95 % confidence interval; raise --budget"),
    "host_busy": FlagMeaning(
        "with care", "other processes used this process's CPU cores during timing; measure on an idle machine"
    ),
    "hw_slowdown": FlagMeaning("do not quote", "the GPU's hardware protection or a power brake slowed it down"),
    "isolation_unchecked": FlagMeaning("with care", "it is not known whether other processes used the GPU"),
    "launch_bound": FlagMeaning(
        "with care",
        "the GPU waits for Python during part of a call, so wall latency is the host's: it has been seen to differ by "
        "45 % between two processes; quote the device's work, or the wall latency of several processes",
    ),
    "load_slowed": FlagMeaning("with care", "reading the power sensors slowed the load by more than 0.5 %"),
    "memory_shared": FlagMeaning("with care", "the peak memory includes other tensors of the calling program"),
    "mig_slice": FlagMeaning("with care", "the model ran on a MIG slice, not on the whole GPU"),
    "mixed_versions": FlagMeaning(
        "with care", "the node's versions of this program, torch, CUDA or Python are not those of the fleet's plan"
    ),
    "nan_output": FlagMeaning("do not quote", "the output of the model contains NaN or infinity"),
    "not_steady": FlagMeaning("with care", "latency had not reached a steady state when the warm-up ended"),
    "output_not_repeatable": FlagMeaning(
        "quote", "two calls on one input differ (dropout?), so the graph's output could not be checked"
    ),
    "phase_shifted": FlagMeaning(
        "quote", "the power sensor averages only part of the time, so the load was shifted to cover whole runs"
    ),
    "power_capped": FlagMeaning("with care", "the power limit lowered the clocks"),
    "quick": FlagMeaning("with care", "a preliminary result from few samples"),
    "samples_repeated": FlagMeaning(
        "quote",
        "samples that a limit of the card's power or temperature had slowed were taken again (--wait-for-cool)",
    ),
    "shared_gpu": FlagMeaning("do not quote", "other processes used the GPU during the measurement"),
    "shared_node": FlagMeaning(
        "with care", "other jobs ran on the same machine: they share its processor, its memory and its power"
    ),
    "slow_turns": FlagMeaning(
        "with care",
        "a call takes longer than 0.5 s, and a disturbance that ends within a turn does not cancel: give it more "
        "rounds, or smaller inputs",
    ),
    "sources_disagree": FlagMeaning("with care", "the energy counter and the power sensor gave different energies"),
    "thermal": FlagMeaning("with care", "a high temperature lowered the clocks"),
    "values_needed": FlagMeaning(
        "with care",
        "the model needs input values, and was counted on its own examples or on random ones; others may cost "
        "more or less",
    ),
    "warm_up_cut_short": FlagMeaning(
        "with care",
        "the warm-up ended before it could show whether latency was steady; raise --budget, or leave out --quick",
    ),
}


def meanings(texts: Iterable[str]) -> str:
    """The meanings of all flags that occur in these texts, each once; empty if none occurs."""
    return " ".join(glossary(texts))


def glossary(texts: Iterable[str]) -> tuple[str, ...]:
    """One sentence for each flag that occurs in these texts: `quick: a preliminary result from few samples.`"""
    words = dict.fromkeys(word for text in texts for word in re.findall(r"\w+", text) if word in FLAGS)
    return tuple(f"{word}: {FLAGS[word].meaning}." for word in words)
