"""`bench doctor`: show what this machine can measure, and how to fix the rest."""

from typing import TYPE_CHECKING

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.cli import output
from backbone_bench.cli.app import app
from backbone_bench.cli.options import RowFormatOption
from backbone_bench.report.tables.answer import Answer

if TYPE_CHECKING:  # it loads torch, which `--help` need not wait for
    from backbone_bench.doctor import DoctorLine


@app.command()
def doctor(form: RowFormatOption = None) -> None:
    """Show what this machine can measure and how to fix the rest.

    Exits with 0 if at least the CPU can be timed.
    """
    from backbone_bench.doctor import can_measure, examine

    lines = examine()
    output.emit(answer(lines), form)
    if not can_measure(lines):
        raise CouldNotMeasure("Not even the CPU can be timed here: see the row about CPU timing.")


def answer(lines: "tuple[DoctorLine, ...]") -> Answer:
    """The diagnosis as a table, one finding per row."""
    from backbone_bench.report.tables.listing import listing
    from backbone_bench.report.tables.table import Column, tabulate

    columns: tuple[Column[DoctorLine], ...] = (
        # The first column is repeated if the table is too wide for the screen.
        Column("topic", "what", lambda line: line.topic),
        Column("grade", "grade", lambda line: line.grade),
        Column("found", "found", lambda line: line.found),
        Column("remedy", "remedy", lambda line: line.remedy),
    )
    return listing([line._asdict() for line in lines], tabulate(lines, columns))
