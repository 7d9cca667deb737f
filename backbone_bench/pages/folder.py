"""The folder that `bench report` writes: the HTML page, the tables, the plots and the records."""

from collections.abc import Sequence
from pathlib import Path

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.claims.judges.of_records import judged_by
from backbone_bench.pages.page import page
from backbone_bench.records import Record, store
from backbone_bench.report.drawing import png as pngs
from backbone_bench.report.drawing import svg
from backbone_bench.report.plots.which import draw
from backbone_bench.report.tables import formats
from backbone_bench.report.views.columns import COMPARE
from backbone_bench.report.views.compare import View
from backbone_bench.report.views.render import answer


def write(records: Sequence[Record], folder: Path, *, png: bool, relative_to: str | None) -> Path:
    """Write the folder and return the path of its page.

    Raises UserError if the folder cannot be written, or if PNG is requested and matplotlib is not installed.
    """
    view = View(COMPARE, relative_to=relative_to)
    if png and not pngs.available():
        raise UserError(pngs.MISSING)
    _make(folder / "plots")
    answered = answer(records, view)
    files = {
        "index.html": page(records, view, judged_by(records)),
        "tables.md": formats.write(answered, "md"),
        "tables.csv": formats.write(answered, "csv"),
        "records.jsonl": formats.write(answered, "jsonl"),
    }
    plots = draw(records)
    files |= {f"plots/{plot.name}.svg": svg.file(plot) for plot in plots}
    images = {f"plots/{plot.name}.png": pngs.draw(plot) for plot in plots} if png else {}
    with signals.deferred():  # a signal must not leave files of two record sets in one folder
        for name, text in files.items():
            store.write(folder / name, text)
        for name, image in images.items():
            store.write(folder / name, image)
    return folder / "index.html"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {folder}: {error.strerror}. Choose another with --output.") from None
