"""Fixtures: the evidence with the real counter, the results of all shipped claims, and the command line."""

from collections.abc import Mapping

import pytest

from backbone_bench.claims.data import papers
from backbone_bench.claims.evidence.counter import gather_evidence
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges import engine
from backbone_bench.claims.judges.engine import ClaimResult
from tests.cli.conftest import bench

__all__ = ["bench"]


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    """All the evidence that the program has without records; counts are made once for all tests."""
    return gather_evidence()


@pytest.fixture(scope="session")
def outcomes(evidence) -> Mapping[str, ClaimResult]:
    """The result of each shipped claim, by id."""
    return {outcome.entry.claim.id: outcome for outcome in engine.judge_all(papers.entries(papers.shipped()), evidence)}
