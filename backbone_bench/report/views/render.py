"""Records as the answer of a command: tables for people, figures for programs, the records themselves as JSON."""

from collections.abc import Sequence
from dataclasses import replace

from backbone_bench.records import Record, store
from backbone_bench.report.tables.answer import Answer, AnswerPart
from backbone_bench.report.tables.table import Table, without_empty
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.layers import layers, rows


def answer(records: Sequence[Record], view: View, depth: int | None = None, *, twice: bool = False) -> Answer:
    """What `view` asks for; with a `depth`, also where the cost lies within the models, down to it.

    As CSV the layers are every operation, whatever the depth. `twice` counts a multiply-add as two in the layers; the
    columns of a view say it themselves.
    """

    def parts() -> Sequence[AnswerPart]:
        whole = [without_empty(table) for table in compare(records, view)]
        if depth is None:
            return whole
        return [*whole, *(table for record in records for table in layers(record, depth, twice=twice))]

    def exact() -> Sequence[Table]:
        if depth is not None:
            return [rows(records, twice=twice)]
        return compare(records, replace(view, every_facet=True))

    return Answer(parts, exact, json=lambda: store.dumps(records), jsonl=lambda: store.dump_lines(records))
