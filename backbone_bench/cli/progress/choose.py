"""The progress that fits where stderr goes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backbone_bench.cli.progress.lines import Progress, ProgressLines, Silent


@contextmanager
def shown(*, quiet: bool, verbose: bool = False) -> Iterator[Progress]:
    """The progress that fits where stderr goes."""
    if quiet:
        yield Silent()
    elif verbose or not sys.stderr.isatty():
        yield ProgressLines(verbose=verbose)
    else:
        from backbone_bench.cli.progress.bar import bar  # imports rich

        with bar() as moving:
            yield moving
