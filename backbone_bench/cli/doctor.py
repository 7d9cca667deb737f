"""`bench doctor`: what can be measured here, and how to mend what cannot."""

from typing import TYPE_CHECKING

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.cli import output
from backbone_bench.cli.app import app
from backbone_bench.cli.options import Format, OutputFormat

if TYPE_CHECKING:  # it loads torch, which `--help` need not wait for
    from backbone_bench.doctor import Line


@app.command()
def doctor(form: OutputFormat = None) -> None:
    """Tell what this machine can measure, how well, and how to mend what it cannot.

    Exit 0 where at least the CPU can be timed.
    """
    from backbone_bench.doctor import can_measure, examine

    lines = examine()
    output.put(as_text(lines, form or output.default_form()))
    if not can_measure(lines):
        raise CouldNotMeasure("Not even the CPU can be measured here: see the line on its timing.")


def as_text(lines: "tuple[Line, ...]", form: Format) -> str:
    """The diagnosis in one of the forms."""
    from backbone_bench.report.tables.table import Column, tabulate
    from backbone_bench.report.tables.text import listing

    columns: tuple[Column[Line], ...] = (
        Column("topic", "what", lambda line: line.topic),  # it stands before each part of a table too wide for a screen
        Column("grade", "grade", lambda line: line.grade),
        Column("found", "found", lambda line: line.found),
        Column("remedy", "remedy", lambda line: line.remedy),
    )
    return listing([line._asdict() for line in lines], tabulate(lines, columns), form)
