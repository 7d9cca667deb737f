"""Tables and plain rows as text in one of the formats of `--format`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from backbone_bench.base.errors import UserError
from backbone_bench.report.tables.csv import delimited
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Table


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
    from backbone_bench.report.tables.terminal import terminal  # imports rich

    return terminal(tables)
