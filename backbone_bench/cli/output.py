"""Write results: stdout in one format, files in others. Everything that is not a result goes to stderr."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.cli import streams
from backbone_bench.cli.options import RECORDS, format_of
from backbone_bench.report.tables.answer import Answer, Face
from backbone_bench.report.tables.formats import written

if TYPE_CHECKING:  # it loads pydantic, which `--help` need not wait for
    from backbone_bench.records import Record
    from backbone_bench.report.tables.table import Column
    from backbone_bench.report.views.compare import View


def default_format() -> str:
    """`table` on a terminal, else `md`, which has full width."""
    return "table" if sys.stdout.isatty() else "md"


def check(paths: Sequence[Path], faces: Sequence[Face] = RECORDS) -> None:
    """Raise UserError, before anything is measured, for a file that could not be written."""
    from backbone_bench.records import store

    for path in paths:
        if path.name.endswith(".plan.jsonl"):
            raise UserError(f"{path}: files with this ending are plans of fleets: name another output.")
        format_of(path, faces)
        store.check_writable(path)


def of_records(
    records: "Sequence[Record]",
    columns: "Sequence[Column[Record]]",
    convention: str,
    depth: int | None = None,
    *,
    wide: bool = False,
    by: str | None = None,
    shown: "Sequence[Record]" = (),
) -> Answer:
    """The answer for records in these columns, with layers down to `depth`; `convention`: FLOPs per multiply-add.

    `by` chooses one of the tables of layers that were timed; people see the rows `shown` in place of the records.
    """
    from backbone_bench.report.views.compare import View
    from backbone_bench.report.views.scaled import doubled

    twice = convention == "2"
    view = View(tuple(doubled(columns) if twice else columns), mark_best=False, wide=wide, shown=tuple(shown))
    return with_page(records, view, depth, twice=twice, by=by)


def with_page(
    records: "Sequence[Record]", view: "View", depth: int | None = None, *, twice: bool = False, by: str | None = None
) -> Answer:
    """The answer for records in a view, with an HTML page; the page always shows the layers."""
    from backbone_bench.report.views.render import answer

    def page() -> str:
        from backbone_bench.pages.page import page  # imports jinja2

        return page(records, view)

    return replace(answer(records, view, depth, twice=twice, by=by), html=page)


def emit(answer: Answer, form: str | None, paths: Sequence[Path] = (), faces: Sequence[Face] = RECORDS) -> None:
    """Write every file, then print. A signal is deferred until then, or measurements would be lost."""
    from backbone_bench.records import store

    with signals.deferred():
        for path in paths:
            store.write(path, written(answer, format_of(path, faces)))
        put(written(answer, form or default_format()))


def put(result: str | bytes) -> None:
    """Print a result. Raises UserError if stdout cannot be written, or is a terminal and the result is binary.

    A reader that has closed the pipe (`bench list | head`) is no error and does not change the exit code.
    """
    try:
        if isinstance(result, str):
            sys.stdout.write(result)
        elif sys.stdout.isatty():
            raise UserError("This format is binary: write it to a file with -o, or to a pipe.")
        else:
            sys.stdout.buffer.write(result)
        sys.stdout.flush()
    except BrokenPipeError:
        streams.abandon_stdout()
    except OSError as error:
        streams.abandon_stdout()
        raise UserError(f"Cannot print the result: {error.strerror}. Files named with -o were written.") from None
