"""The table that a run prints at its end (`-s` shows it): one row a model, and what explains a difference."""

from collections.abc import Callable, Iterator

import pytest

Row = Callable[..., None]


@pytest.fixture(scope="module")
def row(request: pytest.FixtureRequest) -> Iterator[Row]:
    """`row(model, *cells)`: enter a line into the table of this file."""
    rows: list[tuple[str, ...]] = []
    yield lambda *cells: rows.append(tuple(map(str, cells)))
    print(f"\n\n| {' | '.join(request.module.TITLES)} |\n|{' --- |' * len(request.module.TITLES)}")
    for cells in sorted(rows):
        print(f"| {' | '.join(cells)} |")
    print(f"\n{len(rows)} models, {sum(bool(cells[-1]) for cells in rows)} with a difference or a note.")
