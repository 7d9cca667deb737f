"""Plain rows that are no records, such as the zoo, settings or a diagnosis, as an answer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.table import Table


def listing(rows: Sequence[Mapping[str, Any]], table: Table) -> Answer:
    """The rows as they are for JSON, the table for everything else."""
    return Answer(
        parts=lambda: [table],
        exact=lambda: [table],
        json=lambda: json.dumps(rows, indent=1) + "\n",
        jsonl=lambda: "".join(f"{json.dumps(row)}\n" for row in rows),
    )
