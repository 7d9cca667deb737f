"""A folder of all there is to see of some records: the page, the tables, the plots and the records themselves."""

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
    """Write it all; the path of the page. Raises UserError where the folder cannot be written or PNG not drawn."""
    view = View(COMPARE, relative_to=relative_to)
    if png and not pngs.available():
        raise UserError(pngs.MISSING)
    _make(folder / "plots")
    shown = answer(records, view)
    files = {
        "index.html": page(records, view, judged_by(records)),
        "tables.md": formats.write(shown, "md"),
        "tables.csv": formats.write(shown, "csv"),
        "records.jsonl": formats.write(shown, "jsonl"),
    }
    plots = draw(records)
    files |= {f"plots/{plot.name}.svg": svg.file(plot) for plot in plots}
    pictures = {f"plots/{plot.name}.png": pngs.draw(plot) for plot in plots} if png else {}
    with signals.deferred():  # all of one folder is of the same records
        for name, text in files.items():
            store.write(folder / name, text)
        for name, picture in pictures.items():
            store.write(folder / name, picture)
    return folder / "index.html"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {folder}: {error.strerror}.") from None
