"""`bench report`: write all tables and plots of records to a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.options import PlotWidthOption, RecordsArgument

if TYPE_CHECKING:
    from backbone_bench.report.drawing.image import ImageForm


@app.command()
def report(
    records: RecordsArgument,
    to: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write to; made if it does not exist.", metavar="DIR")
    ],
    png: Annotated[
        bool, typer.Option("--png", help="Also write the plots as PNG, with matplotlib (extra `plot`).")
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also write the plots as PDF for a paper, with matplotlib (extra `plot`).")
    ] = False,
    plot_width: PlotWidthOption = None,
    copy_records: Annotated[
        bool,
        typer.Option("--copy-records", help="Also copy the records into it; else the page names their files."),
    ] = False,
    relative_to: Annotated[
        str | None, typer.Option(help="Show every value as a ratio to that of this model.", metavar="MODEL")
    ] = None,
) -> None:
    """Write one self-contained HTML page, tables and plots of records.

    Published claims are judged by these records; nothing is counted or measured.
    """
    from backbone_bench.pages.folder import Images, write
    from backbone_bench.records import store  # pydantic waits until a command needs it

    found = store.read(records, warn=complain)
    if not found:
        raise UserError(f"No record in {', '.join(map(str, records))}.")
    if plot_width is not None and not (png or pdf):
        raise UserError("--plot-width is for PNG and PDF: add --png or --pdf.")
    forms: tuple[ImageForm, ...] = (*(("png",) if png else ()), *(("pdf",) if pdf else ()))
    page = write(
        found,
        to,
        images=Images(forms, plot_width),
        relative_to=relative_to,
        sources=None if copy_records else [str(path) for path in records],
    )
    output.put(f"{page}\n")
