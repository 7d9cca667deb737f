"""Choose how to show progress: `--quiet`, `--verbose`, and whether stderr is a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backbone_bench.cli.progress.lines import Progress, ProgressLines, Silent


@contextmanager
def shown(*, quiet: bool, verbose: bool = False) -> Iterator[Progress]:
    """Yield a bar on a terminal, lines elsewhere or with `verbose`, nothing with `quiet`."""
    if quiet:
        yield Silent()
    elif verbose or not sys.stderr.isatty():
        yield ProgressLines(verbose=verbose)
    else:
        from backbone_bench.cli.progress.bar import bar  # imports rich

        with bar() as moving:
            yield moving
