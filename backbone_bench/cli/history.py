"""`bench history`: show how a quantity changed over time."""

from pathlib import Path
from typing import Annotated

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.compare import complete_column
from backbone_bench.cli.options import ROWS, OutputsOption, RowFormatOption


@app.command()
def history(
    files: Annotated[
        list[Path], typer.Argument(help="Record files, .json or .jsonl; - is standard input.", metavar="FILE")
    ],
    metric: Annotated[
        str | None,
        typer.Option(
            help="Key of a column, such as wall_s or gross_per_image_j; without it, the latency with the least noise.",
            metavar="KEY",
            autocompletion=complete_column,
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only the records of this model.")] = None,
    form: RowFormatOption = None,
    to: OutputsOption = None,
) -> None:
    """Show how a quantity changed over time, and at which commits.

    A workload on one kind of machine is one history. One history is a table of its records; several are one table with
    a row for each: a sparkline, the change from the first record to the last, and the change points with their commits.
    """
    from backbone_bench.records import store
    from backbone_bench.report.views.columns import named
    from backbone_bench.report.views.history import answer

    if metric is not None and named(metric)[0].unit is None:
        raise UserError(f"--metric {metric}: this column is not a quantity. Try wall_s, graph_s or gross_per_image_j.")
    output.check(to or [], ROWS)
    found = [record for record in store.read(files, warn=complain) if model in (None, record.workload.model)]
    if not found:
        raise UserError(f"No record{f' of {model}' if model else ''} in {', '.join(map(str, files))}.")
    output.emit(answer(found, metric), form, to or [], ROWS)
