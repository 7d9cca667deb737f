"""The catalogue has the networks of the registry, with their counts."""

import pytest
import torch
from torch import nn

from backbone_bench.base.errors import UserError
from backbone_bench.zoo import catalogue, registry
from tests.zoo.built import NAMES, cost


def test_every_registered_network_is_in_the_catalogue():
    models = registry.load_all()
    assert {name: (model.family, model.paper, model.input_shape) for name, model in models.items()} == {
        name: (entry.family, entry.paper, entry.input) for name, entry in catalogue.entries().items()
    }


def test_the_catalogue_names_the_file_that_registers_a_network():
    for model in registry.load_all().values():
        assert model.build.__module__ == f"backbone_bench.zoo.families.{catalogue.find(model.name).module}"


@pytest.mark.parametrize("name", NAMES)
def test_the_ledger_counts_what_torch_counts(name):
    """The catalogue's FLOPs are those of torch's own counter."""
    entry = catalogue.find(name)
    counted = cost(name, entry.input[1])
    assert (counted.params, counted.flops) == (entry.params, entry.flops)
    assert counted.uncounted == ()
    assert counted.path == "meta"


def test_a_misspelt_name_is_told_the_closest():
    with pytest.raises(UserError, match=r"no model 'vovnet38'\. Did you mean .*'vovnet39'"):
        catalogue.find("vovnet38")


def test_an_unlike_name_is_told_where_the_names_are():
    with pytest.raises(UserError, match="See `bench list`"):
        catalogue.find("transformer")


def test_two_networks_cannot_have_one_name():
    paper = catalogue.Paper("A paper", "0000.00000", 2000)

    def resnet50() -> nn.Module:
        return nn.Identity()

    registry.load_all()
    with pytest.raises(ValueError, match="two models are called 'resnet50'"):
        registry.register("test", paper)(resnet50)


def test_shapes_only_makes_no_values_and_restores_initialisation():
    with registry.shapes_only():
        assert nn.Linear(2, 2).weight.is_meta
    assert nn.init.ones_(torch.zeros(2)).tolist() == [1, 1]
