"""Records as the answer of a command: tables for people, exact values for programs, records as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from backbone_bench.records import LayerTimes, Record, store
from backbone_bench.report.tables.answer import Answer, AnswerPart, Paragraph
from backbone_bench.report.tables.table import Table, without_empty
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.layers import layers
from backbone_bench.report.views.operations import operation_table
from backbone_bench.report.views.sentence import sentence
from backbone_bench.report.views.times import time_sentence, time_tables


def answer(
    records: Sequence[Record], view: View, depth: int | None = None, *, twice: bool = False, by: str | None = None
) -> Answer:
    """Make an answer from a view of records; with `depth`, also from the cost of their modules down to that depth.

    Where the layers were timed, their times stand beside the cost; `by` chooses one of the tables. In CSV the layers
    are single operations, whatever the depth. `twice` counts a multiply-add as two FLOPs in the cost of layers only;
    the columns of a view state their own convention.
    """

    def parts() -> Sequence[AnswerPart]:
        tables: list[AnswerPart] = [without_empty(table) for table in compare(records, view)]
        if depth is not None:
            tables += [part for record in records for part in _layers(record, depth, by, twice=twice)]
        return [*tables, *map(Paragraph, filter(None, map(sentence, records if len(records) == 1 else ())))]

    def exact() -> Sequence[Table]:
        if depth is not None:
            return [operation_table(records, twice=twice)]
        return compare(records, replace(view, all_conditions=True))

    return Answer(parts, exact, json=lambda: store.dumps(records), jsonl=lambda: store.dump_lines(records))


def _layers(record: Record, depth: int, by: str | None, *, twice: bool) -> Iterator[AnswerPart]:
    times = record.layer_times
    if isinstance(times, LayerTimes):
        yield from time_tables(record, times, depth, by)
        yield Paragraph(time_sentence(record, times))
        return
    yield from layers(record, depth, twice=twice)
    if times is not None:
        yield Paragraph(f"{record.workload.model}: no times by layer: {times.message}.")
