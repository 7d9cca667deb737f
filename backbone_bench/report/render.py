"""From records to text in one of the formats of `--format`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backbone_bench.base.errors import UserError
from backbone_bench.records import Record
from backbone_bench.report.columns import RUN
from backbone_bench.report.compare import View, compare
from backbone_bench.report.delimited import delimited
from backbone_bench.report.layers import layers as parts
from backbone_bench.report.layers import rows
from backbone_bench.report.markdown import markdown
from backbone_bench.report.tables import Column, Table, without_empty


def render(records: Sequence[Record], form: str, columns: Sequence[Column[Record]] = RUN) -> str:
    """Records as `table`, `md`, `csv` or `html`, nothing marked as best."""
    return show(records, form, View(tuple(columns), mark_best=False))


def show(records: Sequence[Record], form: str, view: View) -> str:
    """What `view` asks for, as `table`, `md`, `csv` or `html`."""
    if form == "csv":
        return delimited(compare(records, replace(view, every_facet=True)))
    if form == "html":
        from backbone_bench.report.page import page  # imports jinja2

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


def listing(rows: Sequence[Mapping[str, Any]], table: Table, form: str) -> str:
    """What is no record, in any form but `html`: plain data for JSON, the table for the others."""
    match form:
        case "json":
            return json.dumps(rows, indent=1) + "\n"
        case "jsonl":
            return "".join(f"{json.dumps(row)}\n" for row in rows)
        case "csv":
            return delimited([table])
        case _:
            return text([table], form)


def text(tables: Sequence[Table], form: str) -> str:
    """Tables for people, as `table` or `md`; raise UserError for a form that only other commands have."""
    if form == "md":
        return markdown(tables)
    if form != "table":
        raise UserError(f"This cannot be shown as {form}: ask for a table or md.")
    from backbone_bench.report.terminal import terminal  # imports rich

    return terminal(tables)
