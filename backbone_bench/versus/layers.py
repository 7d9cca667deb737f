"""Where two models differ: the time of each kind of operation in A and in B, per image."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from backbone_bench.base.units import MILLISECONDS, significant
from backbone_bench.records import LayerTimes, Missing, Record
from backbone_bench.report.tables.answer import Answer, AnswerPart, Paragraph
from backbone_bench.report.tables.table import Column, Table, tabulate
from backbone_bench.report.views.times import joined
from backbone_bench.versus.report import SideNames


class KindTimes(NamedTuple):
    """The seconds per image of one kind of operation in A and in B."""

    kind: str
    a_s: float
    b_s: float

    @property
    def difference_s(self) -> float:
        return self.a_s - self.b_s


def differences(a: Record, b: Record) -> list[KindTimes]:
    """Compare the times of two records kind by kind; where they differ most comes first."""
    of_a, of_b = _by_kind(a), _by_kind(b)
    rows = [KindTimes(kind, of_a[kind], of_b[kind]) for kind in dict.fromkeys((*of_a, *of_b))]
    return sorted(rows, key=lambda row: -abs(row.difference_s))


def _by_kind(record: Record) -> Counter[str]:
    found = Counter[str]()
    for op in joined(record):
        if op.time is not None:
            found[op.label] += op.time.time_s / record.workload.batch  # type: ignore[assignment]
    return found


def with_layers(answer: Answer, a: Record, b: Record, called: SideNames) -> Answer:
    """Add to the report of two models where they differ, from a record of each whose layers were timed."""
    return replace(answer, parts=lambda: [*answer.parts(), *_parts(a, b, called)])


def _parts(a: Record, b: Record, called: SideNames) -> Iterator[AnswerPart]:
    reasons = [one.layer_times.message for one in (a, b) if isinstance(one.layer_times, Missing)]
    if reasons:
        yield Paragraph(f"No times by layer: {reasons[0]}.")
        return
    rows = differences(a, b)
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
        f"From a pass of each under torch's profiler ({' and '.join(map(str, calls))} calls), one after the other: it "
        "shows where, and decides nothing."
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
