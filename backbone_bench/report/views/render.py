"""Records as the answer of a command: tables for people, exact values for programs, records as JSON."""

from collections.abc import Sequence
from dataclasses import replace

from backbone_bench.records import Record, store
from backbone_bench.report.tables.answer import Answer, AnswerPart, Paragraph
from backbone_bench.report.tables.table import Table, without_empty
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.layers import layers, operation_table
from backbone_bench.report.views.sentence import sentence


def answer(
    records: Sequence[Record],
    view: View,
    depth: int | None = None,
    *,
    twice: bool = False,
    rows: Sequence[Record] | None = None,
) -> Answer:
    """Make an answer from a view of records; with `depth`, also from the cost of their modules down to that depth.

    `rows` are shown to people instead: the records, and the rows that have none, each in its place.

    In CSV the layers are single operations, whatever the depth. `twice` counts a multiply-add as two FLOPs in the
    layers only; the columns of a view state their own convention.
    """

    def parts() -> Sequence[AnswerPart]:
        tables: list[AnswerPart] = [without_empty(table) for table in compare(records if rows is None else rows, view)]
        if depth is not None:
            tables += [table for record in records for table in layers(record, depth, twice=twice)]
        return [*tables, *map(Paragraph, filter(None, map(sentence, records if len(records) == 1 else ())))]

    def exact() -> Sequence[Table]:
        if depth is not None:
            return [operation_table(records, twice=twice)]
        return compare(records, replace(view, all_conditions=True))

    return Answer(parts, exact, json=lambda: store.dumps(records), jsonl=lambda: store.dump_lines(records))
