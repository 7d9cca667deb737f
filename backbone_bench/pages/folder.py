"""The folder that `bench report` writes: the HTML page, the tables, the plots and the records."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.claims.judges.of_records import judged_by
from backbone_bench.pages.grid import COLUMNS
from backbone_bench.pages.page import page
from backbone_bench.records import Record, store
from backbone_bench.report.drawing import image, svg
from backbone_bench.report.drawing.image import ImageForm
from backbone_bench.report.plots.which import draw
from backbone_bench.report.tables import formats
from backbone_bench.report.views.columns import COMPARE
from backbone_bench.report.views.compare import View
from backbone_bench.report.views.render import answer

_COPY = "records.jsonl"
_OURS = '<meta name="generator" content="backbone-bench">'


class Images(NamedTuple):
    """The forms of the plots besides SVG, and their width; None: as wide as on the page."""

    forms: tuple[ImageForm, ...] = ()
    width_mm: float | None = None


def write(
    records: Sequence[Record],
    folder: Path,
    *,
    images: Images | None = None,
    relative_to: str | None = None,
    sources: Sequence[str] | None = None,
) -> Path:
    """Write the folder and return the path of its page, which names the files `sources` of the records.

    Without `sources` the records are written into the folder too.

    Raises UserError if the folder cannot be written or has a foreign page, or if matplotlib is needed and missing.
    """
    images = images or Images()
    view = View(COMPARE, relative_to=relative_to)
    if images.forms and not image.available():
        raise UserError(image.MISSING)
    _refuse_foreign(folder / "index.html")
    _make(folder / "plots")
    answered = answer(records, view)
    files = {
        "index.html": page(
            records, replace(view, columns=COLUMNS), judged_by(records), [_COPY] if sources is None else sources
        ),
        "tables.md": formats.write(answered, "md"),
        "tables.csv": formats.write(answered, "csv"),
    }
    if sources is None:
        files[_COPY] = formats.write(answered, "jsonl")
    plots = draw(records)
    files |= {f"plots/{plot.name}.svg": svg.file(plot) for plot in plots}
    drawn = {
        f"plots/{plot.name}.{form}": image.draw(plot, form, images.width_mm) for form in images.forms for plot in plots
    }
    with signals.deferred():  # a signal must not leave files of two record sets in one folder
        for name, text in files.items():
            store.write(folder / name, text)
        for name, content in drawn.items():
            store.write(folder / name, content)
    return folder / "index.html"


def _refuse_foreign(page: Path) -> None:
    """Raise UserError if there is a page that this program did not write."""
    if page.is_file() and _OURS not in page.read_text(encoding="utf-8", errors="replace"):
        raise UserError(f"{page} is not a page of bench report, and would be overwritten. Choose another --output.")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {folder}: {error.strerror}. Choose another with --output.") from None
