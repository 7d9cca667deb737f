"""Where results go: stdout in one form, files in others. Everything that is not a result goes to stderr."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.cli import streams
from backbone_bench.cli.options import Format, form_of

if TYPE_CHECKING:  # it loads pydantic, which `--help` need not wait for
    from backbone_bench.records import Record
    from backbone_bench.report.tables.table import Column

Render = Callable[["Sequence[Record]", Format], str]


def default_form() -> Format:
    """A table for a person at a terminal; elsewhere Markdown at full width."""
    return "table" if sys.stdout.isatty() else "md"


def check(paths: Sequence[Path]) -> None:
    """Raise UserError for a file that could not be written, before anything is measured."""
    from backbone_bench.records import store

    for path in paths:
        form_of(path)
        store.check_writable(path)


def drawing(columns: "Sequence[Column[Record]]", convention: str, depth: int | None) -> Render:
    """How a command draws its records: these columns, FLOPs by the convention, layers to `depth` if it is one."""
    from backbone_bench.report.views.columns import doubled
    from backbone_bench.report.views.render import layers, render

    shown = doubled(columns) if convention == "2" else columns

    def draw(records: "Sequence[Record]", form: Format) -> str:
        if depth is None:
            return render(records, form, shown)
        parts = layers(records, form, depth, twice=convention == "2")
        return parts if form == "csv" else f"{render(records, form, shown)}\n{parts}"

    return draw


def as_text(records: "Sequence[Record]", form: Format, render: Render) -> str:
    """Records as JSON, JSON Lines, or whatever `render` makes of them."""
    from backbone_bench.records import store

    match form:
        case "json":
            return store.dumps(records)
        case "jsonl":
            return store.dump_lines(records)
        case _:
            return render(records, form)


def emit(records: "Sequence[Record]", form: Format | None, paths: Sequence[Path], render: Render) -> None:
    """Write every file, then print; a signal waits, since what was measured is lost otherwise."""
    from backbone_bench.records import store

    with signals.held():
        for path in paths:
            store.write(path, as_text(records, form_of(path), render))
        put(as_text(records, form or default_form(), render))


def put(text: str) -> None:
    """Print a result; raise UserError where it cannot be.

    A reader who has left (`bench list | head`) is no error, and changes nothing of what is found.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        streams.abandon_stdout()
    except OSError as error:
        streams.abandon_stdout()
        raise UserError(f"Cannot print the result: {error.strerror}. Files named with -o are written.") from None
