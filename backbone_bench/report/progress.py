"""What is being done, on stderr: a moving bar on a terminal, a line a row elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[str, float], None]


class Silent:
    """For `--quiet`, and for what nobody watches."""

    def row(self, title: str, number: int, count: int) -> Told:
        """A row begins; what is returned takes its phases."""
        return lambda phase, share: None


class Lines(Silent):
    """A line when a row begins: for logs."""

    def row(self, title: str, number: int, count: int) -> Told:
        print(f"[{number}/{count}] {title}", file=sys.stderr, flush=True)
        return lambda phase, share: None


@contextmanager
def shown(*, quiet: bool) -> Iterator[Silent]:
    """The progress that fits where stderr goes."""
    if quiet:
        yield Silent()
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        from backbone_bench.report.terminal import bar  # imports rich

        with bar() as moving:
            yield moving
