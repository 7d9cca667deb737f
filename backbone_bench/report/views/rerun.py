"""Tables of `bench rerun`: old and new value of every quantity, their ratio, and what differs between the runs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from backbone_bench.records import Record, fingerprint, store
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.table import Table, tabulate
from backbone_bench.report.views.beside import EXACT, columns, ratio_rows
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import machine


class Rerun(NamedTuple):
    """A record and the new record of the same workload."""

    new: Record
    old: Record


def answer(pairs: Sequence[Rerun]) -> Answer:
    """Make one table per rerun, with the ratio new over old; JSON has only the new records."""
    new = [pair.new for pair in pairs]
    return Answer(
        parts=lambda: [_table(*pair) for pair in pairs],
        exact=lambda: [
            tabulate(ratio_rows(*pair, tuple(COLUMNS.values())), EXACT, title=pair.old.workload.model) for pair in pairs
        ],
        json=lambda: store.dumps(new),
        jsonl=lambda: store.dump_lines(new),
    )


def _table(new: Record, old: Record) -> Table:
    rows = ratio_rows(new, old, tuple(COLUMNS.values()))
    table = tabulate(rows, columns("quantity", "now", old.started_utc), title=old.workload.model)
    return replace(table, caption=f"{machine(new)}.", remarks=_remarks(new, old))


def _remarks(new: Record, old: Record) -> tuple[str, ...]:
    """Limits of the comparison: two processes differ by some percent, two machines cannot be compared."""
    found = fingerprint.differences(old, new)
    differences = "; ".join(map(str, found))
    if not fingerprint.comparable(found):
        return (f"What was measured cannot be compared: {differences}.",)
    one_each = (
        "One process each: two processes of the same program can differ by some percent. "
        "Compare with `bench versus` or `bench gate`, which run several."
    )
    return (f"Different: {differences}.", one_each) if found else (one_each,)
