"""`bench compare`: show records side by side."""

from typing import Annotated, Literal

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.options import ConventionOption, OutputsOption, RecordFormatOption, RecordsArgument, WideOption

Pivot = Literal["batch", "inputs", "precision", "memory_format", "compile", "cache", "threads", "mode"]


def complete_column(incomplete: str) -> list[str]:
    """Column keys for shell completion; in a comma-separated list, the last key is completed."""
    from backbone_bench.report.views.columns import COLUMNS

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{key}" for key in COLUMNS if key.startswith(last)]


@app.command()
def compare(
    records: RecordsArgument,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Keys of the columns to show; the model always comes first.",
            metavar="KEY,KEY,…",
            autocompletion=complete_column,
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            help="Key of the column to sort by, best value first.", metavar="KEY", autocompletion=complete_column
        ),
    ] = None,
    group_by: Annotated[Literal["family"] | None, typer.Option(help="One table per family.")] = None,
    relative_to: Annotated[
        str | None, typer.Option(help="Show every value as a ratio to that of this model.", metavar="MODEL")
    ] = None,
    pivot: Annotated[
        Pivot | None,
        typer.Option(help="One row a model: the values of this condition stand side by side. Not in CSV and JSON."),
    ] = None,
    wide: WideOption = False,
    convention: ConventionOption = "1",
    form: RecordFormatOption = None,
    to: OutputsOption = None,
) -> None:
    """Compare records side by side.

    The best value is marked. Records of different environments are shown in separate tables, as are input sizes. A
    terminal shows the most telling columns; --wide or --columns shows others.
    """
    from backbone_bench.records import store
    from backbone_bench.report.views.columns import COMPARE, named  # pydantic waits until a command needs it
    from backbone_bench.report.views.compare import View
    from backbone_bench.report.views.families import family
    from backbone_bench.report.views.scaled import doubled

    shown = named(f"model,{columns}") if columns else COMPARE
    view = View(
        columns=doubled(shown) if convention == "2" else shown,
        sort=named(sort)[0] if sort else None,
        group=family if group_by else None,
        relative_to=relative_to,
        wide=wide,
        pivot=pivot,
    )
    paths = to or []
    output.check(paths)
    found = store.read(records, warn=complain)
    if not found:
        raise UserError(f"No record in {', '.join(map(str, records))}.")
    output.emit(output.with_page(found, view), form, paths)
