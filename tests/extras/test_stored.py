"""The stored counts of timm's and torchvision's networks are those of a fresh count, to the unit."""

import pytest

pytest.importorskip("timm", reason="timm is not installed: make test-extras")
pytest.importorskip("torchvision", reason="torchvision is not installed: make test-extras")

from backbone_bench.claims.evidence import stored
from backbone_bench.claims.evidence.counter import BY_NAME
from backbone_bench.claims.evidence.evidence import Evidence
from tools import stored_counts

TITLES = ("network", "FLOPs", "parameters", "note")
EVIDENCE = Evidence(count=BY_NAME.count, shapes=BY_NAME.shapes)
STORED = stored.of_packages()


def test_the_versions_are_those_that_are_installed_here():
    assert STORED.versions == stored_counts.versions()


@pytest.mark.parametrize("network", STORED.networks, ids=lambda key: f"{key[0]}@{key[2]}")
def test_a_fresh_count_is_the_stored_one(network, row):
    fresh = {name: value for name, value in stored_counts.all_metrics(EVIDENCE, network).items() if value is not None}
    row(f"{network[0]}@{network[2]}", fresh["flops"], fresh["params"], " ".join(f"{k}={v}" for k, v in network[1]))
    assert fresh == STORED.networks[network]
