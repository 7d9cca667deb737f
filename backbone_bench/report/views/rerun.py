"""A record and the same workload run again: both values of every quantity, and in what the two were unlike."""

from dataclasses import replace

from backbone_bench.records import Record, fingerprint
from backbone_bench.report.tables.csv import delimited
from backbone_bench.report.tables.table import Table, tabulate
from backbone_bench.report.tables.text import text
from backbone_bench.report.views.beside import EXACT, columns, figures
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import machine

Pair = tuple[Record, Record]  # new, old


def draw(pairs: list[Pair], form: str) -> str:
    """A table a pair, as `table`, `md` or `csv`; the ratio is new over old."""
    if form == "csv":
        return delimited(
            tabulate(figures(new, old, tuple(COLUMNS.values())), EXACT, title=old.workload.model) for new, old in pairs
        )
    return text([_table(new, old) for new, old in pairs], form)


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
