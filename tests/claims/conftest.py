"""Every shipped claim, judged once by the real counter; and the command line."""

from collections.abc import Mapping

import pytest

from backbone_bench.claims import data, engine
from backbone_bench.claims.book import Book
from backbone_bench.claims.engine import Outcome
from backbone_bench.evidence import book
from tests.cli.conftest import bench

__all__ = ["bench"]


@pytest.fixture(scope="session")
def evidence() -> Book:
    """All the evidence that the program has without records; counts are made once for all tests."""
    return book()


@pytest.fixture(scope="session")
def outcomes(evidence) -> Mapping[str, Outcome]:
    """The outcome of each shipped claim, by id."""
    return {outcome.entry.claim.id: outcome for outcome in engine.judge_all(data.entries(data.shipped()), evidence)}
