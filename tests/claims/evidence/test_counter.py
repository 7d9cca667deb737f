"""The totals of a network of the zoo come from the catalogue, those of any other network from a count."""

import pytest
from torch import nn

from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.evidence.counter import BY_NAME, NetworkCounter
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.records.quantities import CLAIMED
from backbone_bench.zoo.sources import InMemoryModel


def refuse(*_: object) -> None:
    pytest.fail("it was counted")


@pytest.mark.parametrize("metric", CLAIMED)
@pytest.mark.parametrize("network", [Network("resnet18"), Network("resnet18", size=224)])
def test_a_total_of_the_zoo_is_what_a_count_gives(network, metric):
    listed = Evidence(refuse, BY_NAME.listed).value(network, metric)  # type: ignore[arg-type]  # it does not return
    assert listed == Evidence(BY_NAME.count).value(network, metric)


@pytest.mark.parametrize(
    ("counter", "network"),
    [
        (BY_NAME, Network("resnet18", size=192)),
        (BY_NAME, Network("resnet18", arguments={"num_classes": 10})),
        (BY_NAME, Network("timm:resnet18")),
        (NetworkCounter(inputs=("3x192x192",)), Network("resnet18")),
        (NetworkCounter(in_memory=InMemoryModel(nn.Identity())), Network("resnet18")),
    ],
)
def test_another_network_is_counted(counter, network):
    assert counter.listed(network.model, network.arguments or {}, network.size) == {}


def test_a_metric_that_no_count_totals_is_counted():
    """Batch norms have two parameters a channel: 64·(1 + 4) + 128·5 + 256·5 + 512·5 channels in ResNet-18."""
    channels = 64 * (1 + 4) + (128 + 256 + 512) * 5
    value = Evidence(BY_NAME.count, BY_NAME.listed).value(Network("resnet18"), "params_without_norm")
    assert value == 11_689_512 - 2 * channels  # less than torchvision publishes
