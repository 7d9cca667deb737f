"""From records to text in one of the formats of `--format`."""

from collections.abc import Sequence
from dataclasses import replace

from backbone_bench.records import Record
from backbone_bench.report.tables.csv import delimited
from backbone_bench.report.tables.table import Column, without_empty
from backbone_bench.report.tables.text import text
from backbone_bench.report.views.columns import RUN
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.layers import layers as parts
from backbone_bench.report.views.layers import rows


def render(records: Sequence[Record], form: str, columns: Sequence[Column[Record]] = RUN) -> str:
    """Records as `table`, `md`, `csv` or `html`, nothing marked as best."""
    return show(records, form, View(tuple(columns), mark_best=False))


def show(records: Sequence[Record], form: str, view: View) -> str:
    """What `view` asks for, as `table`, `md`, `csv` or `html`."""
    if form == "csv":
        return delimited(compare(records, replace(view, every_facet=True)))
    if form == "html":
        from backbone_bench.pages.page import page  # imports jinja2

        return page(records, view)
    return text([without_empty(table) for table in compare(records, view)], form)


def layers(records: Sequence[Record], form: str, depth: int, *, twice: bool = False) -> str:
    """Where the cost of each record lies, as `table` or `md`; as `csv` every operation, whatever the depth.

    Nothing as `html`: the page has them already.
    """
    if form == "html":
        return ""
    if form == "csv":
        return delimited([rows(records, twice=twice)])
    return text([table for record in records for table in parts(record, depth, twice=twice)], form)
