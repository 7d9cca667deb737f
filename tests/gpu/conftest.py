"""Order of the tests on a GPU, and figures that they print.

A card is often lent for minutes. So the tests that say most come first, and those that compile or go through every
family (`slow`) come last.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

FILES = (
    "test_latency.py", "test_pairs.py", "test_energy.py", "test_layers.py", "test_row.py", "test_predict.py",
    "test_fitting.py",
)  # fmt: skip
Show = Callable[[str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)  # the sort is stable: within a file, and elsewhere, the order stays


def _place(item: pytest.Item) -> tuple[bool, bool, int]:
    """Sort key of a test: tests of other folders first, as they are, then those of this folder."""
    if item.path.parent != Path(__file__).parent:
        return False, False, 0
    name = item.path.name
    return True, item.get_closest_marker("slow") is not None, FILES.index(name) if name in FILES else len(FILES)


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """`show(text)`: print a measured figure to the terminal, also if the test passes."""

    def printed(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", flush=True)

    return printed
