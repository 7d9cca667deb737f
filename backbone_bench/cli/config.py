"""`bench config`: show the settings in force and the origin of each."""

import json
from typing import NamedTuple

from backbone_bench.cli import output
from backbone_bench.cli.app import app
from backbone_bench.cli.job_options import resolved
from backbone_bench.cli.options import RowFormatOption


class _Line(NamedTuple):
    setting: str
    value: object
    origin: str

    @property
    def text(self) -> str:
        """The value as on the command line; empty if nothing is set."""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return ", ".join(
            value if isinstance(value, str) else json.dumps(value) for value in values if value is not None
        )


@app.command()
def config(form: RowFormatOption = None) -> None:
    """Show the settings in force and where each comes from.

    The first of these that gives a value wins: command line, environment (BACKBONE_BENCH_BATCH_SIZE), bench.toml,
    [tool.backbone-bench] in pyproject.toml, default. A file is looked up in this folder and those above it, within the
    checkout.
    """
    from backbone_bench.report.tables.listing import listing
    from backbone_bench.report.tables.table import Column, tabulate

    settings, origins = resolved({})
    lines = [_Line(name, getattr(settings, name.replace("-", "_")), origin) for name, origin in origins.items()]
    columns = (
        Column[_Line]("setting", "setting", lambda line: line.setting),
        Column[_Line]("value", "value", lambda line: line.text),
        Column[_Line]("origin", "from", lambda line: line.origin),
    )
    rows = [line._asdict() for line in lines]
    output.emit(listing(rows, tabulate(lines, columns)), form)
