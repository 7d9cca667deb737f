"""Fixtures for all tests: golden files, which only `--rewrite-golden` rewrites, and the stub of NVML."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.measure.nvml.fixtures import build_nvml, card, cc, old_world, state_file, torch_card, world

__all__ = ["build_nvml", "card", "cc", "old_world", "state_file", "torch_card", "world"]

if find_spec("hypothesis") is not None:  # a machine lent for `make gpu-test` may lack it, and tests/gpu needs none
    from hypothesis import HealthCheck, settings

    # No deadlines: a slow example on a busy machine is not a failure. The same examples in every run: what a change did
    # not break stays green; `make search` takes new ones (`--hypothesis-profile search`, which is loaded after this).
    settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("same", settings.get_profile("search"), derandomize=True)
    settings.load_profile("same")

Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden", action="store_true", help="rewrite the golden files instead of comparing with them"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(name, text)`: assert that the text equals the file `golden/name` beside the test."""
    folder = Path(request.path).parent / "golden"

    def compare(name: str, text: str) -> None:
        file = folder / name
        if request.config.getoption("--rewrite-golden"):
            folder.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare
