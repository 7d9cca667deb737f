"""A record and the same workload run again: both values of every quantity, and in what the two were unlike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from backbone_bench.records import Record, fingerprint, store
from backbone_bench.report.tables.answer import Answer
from backbone_bench.report.tables.table import Table, tabulate
from backbone_bench.report.views.beside import EXACT, columns, figures
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import machine


class Rerun(NamedTuple):
    """A record and the same workload run again."""

    new: Record
    old: Record


def answer(pairs: Sequence[Rerun]) -> Answer:
    """A table for each record that was run again, the ratio new over old; as JSON the new records alone."""
    new = [pair.new for pair in pairs]
    return Answer(
        parts=lambda: [_table(*pair) for pair in pairs],
        exact=lambda: [
            tabulate(figures(*pair, tuple(COLUMNS.values())), EXACT, title=pair.old.workload.model) for pair in pairs
        ],
        json=lambda: store.dumps(new),
        jsonl=lambda: store.dump_lines(new),
    )


def _table(new: Record, old: Record) -> Table:
    rows = figures(new, old, tuple(COLUMNS.values()))
    made = tabulate(rows, columns("quantity", "now", old.started_utc), title=old.workload.model)
    return replace(made, caption=f"{machine(new)}.", remarks=_unlike(new, old))


def _unlike(new: Record, old: Record) -> tuple[str, ...]:
    """One process each is no comparison that could be trusted to a percent; unlike machines are none at all."""
    found = fingerprint.differences(old, new)
    said = "; ".join(map(str, found))
    if not fingerprint.comparable(found):
        return (f"What was measured cannot be compared: {said}.",)
    once = (
        "One process each: processes of one program differ by some percent. `bench versus` and `bench gate` tell more."
    )
    return (f"Different: {said}.", once) if found else (once,)
