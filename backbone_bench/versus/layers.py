"""Where two models differ: the time of each kind of operation in A and in B, per image.

The passes of A and B run one after the other, and the machine may change its
pace between them. So they give the shares, and the rounds of the comparison the
time that is shared out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

from backbone_bench.base.units import MILLISECONDS, significant
from backbone_bench.records import LayerTimes, Missing, Record
from backbone_bench.report.tables.answer import Answer, AnswerPart, Paragraph
from backbone_bench.report.tables.table import Column, Table, tabulate
from backbone_bench.report.views.times import parts
from backbone_bench.stats.ratios import Pair
from backbone_bench.versus.report import SideNames, names
from backbone_bench.versus.rule import Comparison


class KindTimes(NamedTuple):
    """The seconds per image of one kind of operation in A and in B."""

    kind: str
    a_s: float
    b_s: float

    @property
    def difference_s(self) -> float:
        return self.a_s - self.b_s


def differences(a: Record, b: Record, measured: Pair) -> list[KindTimes]:
    """Share out the measured seconds of A and B by kind; where they differ most comes first."""
    of_a, of_b = _shares(a), _shares(b)
    rows = [
        KindTimes(kind, of_a[kind] * measured.numerator, of_b[kind] * measured.denominator)
        for kind in dict.fromkeys((*of_a, *of_b))
    ]
    return sorted(rows, key=lambda row: -abs(row.difference_s))


def _shares(record: Record) -> Counter[str]:
    """The share of each kind of operation in the time of a call."""
    times = record.layer_times
    kinds = parts(record, times, lambda op: op.label) if isinstance(times, LayerTimes) else ()
    return Counter({kind.name: kind.share for kind in kinds if kind.time_s})


def with_layers(found: Comparison, answer: Answer, a: Record, b: Record) -> Answer:
    """Add to the report of a comparison where its models differ, from a record of each whose layers were timed."""
    b_s = median(pair.denominator for pair in found.pairs)
    measured = Pair(found.ratio.estimate * b_s, b_s)
    return replace(answer, parts=lambda: [*answer.parts(), *_parts(a, b, measured, names(found))])


def _parts(a: Record, b: Record, measured: Pair, called: SideNames) -> Iterator[AnswerPart]:
    reasons = [one.layer_times.message for one in (a, b) if isinstance(one.layer_times, Missing)]
    if reasons:
        yield Paragraph(f"No times by layer: {reasons[0]}.")
        return
    rows = differences(a, b, measured)
    yield _table(rows, called, _caption(a, b))
    if rows:
        yield Paragraph(_sentence(rows, called))


def _table(rows: Sequence[KindTimes], called: SideNames, caption: str) -> Table:
    columns = (
        Column[KindTimes]("kind", "kind", lambda row: row.kind),
        Column[KindTimes]("a_s", called.a, lambda row: row.a_s, MILLISECONDS),
        Column[KindTimes]("b_s", called.b, lambda row: row.b_s, MILLISECONDS),
        Column[KindTimes]("difference_s", "difference", lambda row: row.difference_s, MILLISECONDS),
    )
    return tabulate(rows, columns, title="Where they differ: time per image by kind of operation", caption=caption)


def _caption(a: Record, b: Record) -> str:
    calls = [one.layer_times.calls for one in (a, b) if isinstance(one.layer_times, LayerTimes)]
    return (
        "The time that the rounds measured, by the shares of a pass of each under torch's profiler "
        f"({' and '.join(map(str, calls))} calls)."
    )


def _sentence(rows: Sequence[KindTimes], called: SideNames) -> str:
    """`resnet50 takes 70.3 ms more than vovnet39 in 1x1 convolution, of 86.1 ms in all.`"""
    first, whole_s = rows[0], sum(row.difference_s for row in rows)
    more, less = (called.a, called.b) if first.difference_s > 0 else (called.b, called.a)
    signed_s = whole_s if first.difference_s > 0 else -whole_s
    return (
        f"{more} takes {_ms(abs(first.difference_s))} more than {less} in {first.kind}; over all kinds "
        f"{_ms(abs(signed_s))} {'more' if signed_s >= 0 else 'less'}."
    )


def _ms(seconds: float) -> str:
    return f"{significant(seconds * MILLISECONDS.per_base, 3)} {MILLISECONDS.name}"
