"""`bench doctor`: what can be measured here, and how to mend what cannot."""

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
    """Tell what this machine can measure, how well, and how to mend what it cannot.

    Exit 0 where at least the CPU can be timed.
    """
    from backbone_bench.doctor import can_measure, examine

    lines = examine()
    output.emit(answer(lines), form)
    if not can_measure(lines):
        raise CouldNotMeasure("Not even the CPU can be measured here: see the line on its timing.")


def answer(lines: "tuple[DoctorLine, ...]") -> Answer:
    """The diagnosis, a line a row."""
    from backbone_bench.report.tables.listing import listing
    from backbone_bench.report.tables.table import Column, tabulate

    columns: tuple[Column[DoctorLine], ...] = (
        Column("topic", "what", lambda line: line.topic),  # it stands before each part of a table too wide for a screen
        Column("grade", "grade", lambda line: line.grade),
        Column("found", "found", lambda line: line.found),
        Column("remedy", "remedy", lambda line: line.remedy),
    )
    return listing([line._asdict() for line in lines], tabulate(lines, columns))
