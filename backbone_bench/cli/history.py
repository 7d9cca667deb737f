"""`bench history`: show how a quantity changed over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backbone_bench.base.errors import UserError, visible
from backbone_bench.cli import output
from backbone_bench.cli.app import app, complain
from backbone_bench.cli.compare import complete_column
from backbone_bench.cli.options import ROWS, OutputsOption, PlotWidthOption, RowFormatOption

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.report.drawing.image import ImageForm
    from backbone_bench.report.views.history import Course


_PLOTS: "Mapping[str, ImageForm | None]" = {".svg": None, ".png": "png", ".pdf": "pdf"}  # by suffix


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
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Also draw all histories in one plot: .svg, or .png and .pdf with matplotlib (extra `plot`).",
            metavar="FILE",
        ),
    ] = None,
    plot_width: PlotWidthOption = None,
    form: RowFormatOption = None,
    to: OutputsOption = None,
) -> None:
    """Show how a quantity changed over time, and at which commits.

    A workload on one kind of machine is one history. One history is a table of its records; several are one table with
    a row for each: a sparkline, the change from the first record to the last, and the change points with their commits.
    --plot draws all of them in one plot, with the change points marked.
    """
    from backbone_bench.records import store
    from backbone_bench.report.views.columns import named
    from backbone_bench.report.views.history import answer, courses

    if metric is not None and named(metric)[0].unit is None:
        raise UserError(f"--metric {metric}: this column is not a quantity. Try wall_s, graph_s or gross_per_image_j.")
    output.check(to or [], ROWS)
    if plot is not None:
        _check(plot)
    found = [record for record in store.read(files, warn=complain) if model in (None, record.workload.model)]
    if not found:
        raise UserError(f"No record{f' of {model}' if model else ''} in {', '.join(map(str, files))}.")
    if plot is not None:
        _draw(courses(found, metric), plot, plot_width)
    output.emit(answer(found, metric), form, to or [], ROWS)


def _check(plot: Path) -> None:
    """Raise UserError for a plot that could not be written."""
    from backbone_bench.records import store
    from backbone_bench.report.drawing import image

    if plot.suffix not in _PLOTS:
        raise UserError(f"--plot {visible(str(plot))}: the suffix decides the form and must be {' or '.join(_PLOTS)}.")
    if plot.suffix != ".svg" and not image.available():
        raise UserError(image.MISSING)
    store.check_writable(plot)


def _draw(found: "Sequence[Course]", path: Path, width_mm: float | None) -> None:
    from backbone_bench.records import store
    from backbone_bench.report.drawing import image, svg
    from backbone_bench.report.plots import history

    drawn = history.draw(found)
    form = _PLOTS[path.suffix]
    store.write(path, svg.file(drawn) if form is None else image.draw(drawn, form, width_mm))
