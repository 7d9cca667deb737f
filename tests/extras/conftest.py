"""A table printed at the end of a test file (`-s` shows it): one row per model, with the cause of a difference."""

from collections.abc import Callable, Iterator

import pytest

Row = Callable[..., None]


@pytest.fixture(scope="module")
def row(request: pytest.FixtureRequest) -> Iterator[Row]:
    """`row(model, *cells)`: add a row to the table of this test file."""
    rows: list[tuple[str, ...]] = []
    yield lambda *cells: rows.append(tuple(map(str, cells)))
    print(f"\n\n| {' | '.join(request.module.TITLES)} |\n|{' --- |' * len(request.module.TITLES)}")
    for cells in sorted(rows):
        print(f"| {' | '.join(cells)} |")
    print(f"\n{len(rows)} models, {sum(bool(cells[-1]) for cells in rows)} with a difference or a note.")
