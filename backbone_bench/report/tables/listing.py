"""An `Answer` from rows that are not records, such as the zoo, the settings or a diagnosis."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.table import Table


def listing(rows: Sequence[Mapping[str, Any]], table: Table) -> Answer:
    """Make an answer that writes `rows` as JSON or JSON Lines, and `table` in every other format."""
    return Answer(
        parts=lambda: [table],
        exact=lambda: [table],
        json=lambda: json.dumps(rows, indent=1) + "\n",
        jsonl=lambda: "".join(f"{json.dumps(row)}\n" for row in rows),
    )
