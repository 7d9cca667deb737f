"""`bench report`: everything there is to see of some records, in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.options import RecordsArgument


@app.command()
def report(
    records: RecordsArgument,
    to: Annotated[Path, typer.Option("--output", "-o", help="The folder to write; made if need be.", metavar="DIR")],
    png: Annotated[bool, typer.Option("--png", help="Plots as PNG too, by matplotlib (the extra `plot`).")] = False,
    relative_to: Annotated[
        str | None, typer.Option(help="A model among the records: show every value's ratio to it.", metavar="MODEL")
    ] = None,
) -> None:
    """Write one self-contained page, tables and plots of records.

    Published claims are judged by what the records hold; nothing is counted or measured.
    """
    from backbone_bench.pages.folder import write
    from backbone_bench.records import store  # pydantic waits until a command needs it

    found = store.read(records, warn=complain)
    if not found:
        raise UserError(f"No record in {', '.join(map(str, records))}.")
    output.put(f"{write(found, to, png=png, relative_to=relative_to)}\n")
