"""The grade of a record: whether its measurements may be quoted, with the reasons why not.

A grade is computed when it is shown, and not stored: an old record is graded by what is known now.
"""

from collections.abc import Iterator
from typing import NamedTuple

from backbone_bench.records.cost import ModelCost
from backbone_bench.records.energy import Energy
from backbone_bench.records.flags import FLAGS, Finding, QuoteGrade
from backbone_bench.records.latency import Latencies, Latency, WarmUpStatus
from backbone_bench.records.missing import Known, Missing
from backbone_bench.records.record import Record

QUOTABLE, POOR = 0.02, 0.10  # half of the 95 % confidence interval, as a share of the value
LAUNCH_BOUND = 0.10  # share of a call that the device waits
_GRADES: tuple[QuoteGrade, ...] = ("quote", "with care", "do not quote")
# A warm-up that was too short to tell was `not_steady` before 2026-11-28: the rule needs eight blocks of 0.1 s.
_LEAST_WARM_UP_S = 0.8


class Reason(NamedTuple):
    """One reason for a grade: a word with a meaning in `FLAGS`, or a wide interval such as `wall ±7.3 %`."""

    grade: QuoteGrade
    text: str


class Graded(NamedTuple):
    """The grade of a record, with its reasons, the gravest first; notes that do not lower the grade come last."""

    grade: QuoteGrade
    reasons: tuple[str, ...]

    def without(self, shared: frozenset[str]) -> str:
        """The grade in words, without the reasons that stand elsewhere: `with care: host_busy, wall ±7.3 %`."""
        own = [reason for reason in self.reasons if reason not in shared]
        return f"{self.grade}: {', '.join(own)}" if own else self.grade


def flags(record: Record) -> tuple[str, ...]:
    """Every flag that a record and its parts raised, each once, without those that its own values refute."""
    return tuple(dict.fromkeys(_flags(record)))


def noted(record: Record) -> tuple[str, ...]:
    """Every flag of a record, and what else its values show: each a word with a meaning in `FLAGS`."""
    return tuple(dict.fromkeys((*_flags(record), *_findings(record))))


def graded(record: Record) -> Graded:
    """Grade a record: the worst grade of its flags and its confidence intervals."""
    reasons = [*(Reason(_grade_of(word, record), word) for word in noted(record)), *_wide(record)]
    ordered = sorted(reasons, key=lambda reason: -_GRADES.index(reason.grade))
    worst = ordered[0].grade if ordered else "quote"
    return Graded(worst, tuple(dict.fromkeys(reason.text for reason in ordered)))


def latencies(record: Record) -> Iterator[tuple[str, Latency]]:
    """The latencies that were measured, each with its mode."""
    if isinstance(record.latency, Latencies):
        for mode in ("wall", "device", "graph"):
            latency: Latency | Missing = getattr(record.latency, mode)
            if not isinstance(latency, Missing):
                yield mode, latency


def _grade_of(word: str, record: Record) -> QuoteGrade:
    if word == "eager_events" and not isinstance(record.device_work, Missing):
        return "quote"  # of the device's work there is a graph
    return FLAGS[word].grade if word in FLAGS else "with care"  # a flag of another version of this program


def warm_up_of(latency: Latency) -> WarmUpStatus:
    """Status of a warm-up as it is known now: a short one showed nothing, and older versions called it not steady."""
    status = latency.warmup.status
    return "cut_short" if status == "not_steady" and latency.warmup.spent_s < _LEAST_WARM_UP_S else status


def _flags(record: Record) -> Iterator[str]:
    yield from record.flags
    for _, latency in latencies(record):
        cut_short = warm_up_of(latency) == "cut_short"
        yield from ("warm_up_cut_short" if flag == "not_steady" and cut_short else flag for flag in latency.flags)
    for energy in (record.energy, record.wall_energy):
        yield from energy.flags if isinstance(energy, Energy) else ()
    if not isinstance(record.watch, Missing):
        yield from (flag for flag in record.watch.flags if flag != "clocks_unlocked" or record.watch.clocks_varied)


def _findings(record: Record) -> Iterator[Finding]:
    if any(isinstance(part, Missing) and part.missing == "failed" for part in (record.latency, record.energy)):
        yield "failed"
    if not isinstance(record.cost, Missing):
        yield from _of_cost(record.cost)
    for mode, latency in latencies(record):
        yield from _of_latency(mode, latency)
    if isinstance(record.latency, Latencies):
        yield from _of_latencies(record.latency)


def _of_cost(cost: ModelCost) -> Iterator[Finding]:
    if cost.path == "cpu":
        yield "values_needed"
    if cost.varies:
        yield "count_varies"


def _of_latency(mode: str, latency: Latency) -> Iterator[Finding]:
    if latency.status == "quick":
        yield "quick"
    if isinstance(latency.ci95_s, Missing):
        yield "few_samples"
    if mode == "device" and latency.method != "filled_queue":
        yield "eager_events"


def _of_latencies(latency: Latencies) -> Iterator[Finding]:
    share = latency.launch_bound
    if not isinstance(share, Missing) and share > LAUNCH_BOUND:
        yield "launch_bound"
    if any(_is_above(one, latency.wall) for one in (latency.graph, latency.filled_device)):
        yield "device_above_wall"


def _is_above(one: Known[Latency], other: Known[Latency]) -> bool:
    """Whether the whole confidence interval of one latency is above that of another."""
    if isinstance(one, Missing) or isinstance(other, Missing):
        return False
    upper, lower = one.ci95_s, other.ci95_s
    return not isinstance(upper, Missing) and not isinstance(lower, Missing) and upper[0] > lower[1]


def _wide(record: Record) -> Iterator[Reason]:
    """A reason for each quantity whose interval is wide; what is not device work is not judged."""
    for mode, latency in latencies(record):
        eager = mode == "device" and latency.method != "filled_queue"
        if not isinstance(latency.ci95_s, Missing) and not eager and latency.median_s:
            low, high = latency.ci95_s
            yield from _of_share(mode, (high - low) / 2 / latency.median_s)
    for name, energy in (("energy", record.energy), ("wall energy", record.wall_energy)):
        if isinstance(energy, Energy) and not isinstance(energy.repeat_relative, Missing):
            yield from _of_share(name, energy.repeat_relative)


def _of_share(name: str, share: float) -> Iterator[Reason]:
    if share > QUOTABLE:
        text = f"{100 * share:.1f}" if share < 1 else f"{100 * share:.0f}"
        yield Reason("do not quote" if share > POOR else "with care", f"{name} ±{text} %")
