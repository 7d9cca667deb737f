"""A progress bar on stderr: the row, its phase and the time left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from backbone_bench.base.progress import ProgressCallback
from backbone_bench.cli.progress.lines import TimeLeft
from backbone_bench.report.tables import escape


class MovingBar:
    """A bar that moves on callbacks only: a refresh thread would take CPU time from the measurement."""

    def __init__(self, progress: RichProgress) -> None:
        self._progress, self._left = progress, TimeLeft()
        self._task = progress.add_task("", total=1, left="")

    def row(self, title: str, number: int, count: int) -> ProgressCallback:
        done = (number - 1) / count
        name = f"[{number}/{count}] {title}" if count > 1 else title
        self._show(name, done)
        return lambda phase, share: self._show(f"{name}: {phase} {share:.0%}" if share else f"{name}: {phase}", done)

    def whole(self, title: str) -> ProgressCallback:
        return lambda phase, share: self._show(f"{title}: {phase}", share)

    def say(self, line: str) -> None:
        self._progress.console.print(escape.visible(line), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _show(self, text: str, done: float) -> None:
        left = self._left.text(done)
        self._progress.update(
            self._task, description=escape_markup(escape.visible(text)), completed=done, left=left and f"{left} left"
        )
        self._progress.refresh()


@contextmanager
def bar(console: Console | None = None) -> Iterator[MovingBar]:
    """Show a bar while the work lasts, and remove it afterwards."""
    columns = (BarColumn(bar_width=20), TextColumn("{task.fields[left]}"), TextColumn("{task.description}"))
    console = console or Console(file=sys.stderr)
    with RichProgress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        yield MovingBar(progress)
