"""Default arguments read from the source of the builders: the same as those of the functions themselves."""

import inspect
from importlib import import_module

import pytest

from backbone_bench.zoo import catalogue, registry
from backbone_bench.zoo.defaults import without_defaults

MICRO = [
    f"backbone_bench.zoo.{module}:{name}"
    for module in ("micro", "shufflenet_micro", "ceilings")
    for name, made in vars(import_module(f"backbone_bench.zoo.{module}")).items()
    if inspect.isfunction(made) and made.__module__ == f"backbone_bench.zoo.{module}" and not name.startswith("_")
]


def defaults_of(function):
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if isinstance(each.default, str | int | float | None)}


@pytest.mark.parametrize("model", MICRO)
def test_the_defaults_of_a_stack_are_dropped_and_other_values_stay(model):
    module, _, name = model.partition(":")
    defaults = defaults_of(getattr(import_module(module), name))
    assert without_defaults(model, defaults) == {}
    others = {name: "another" for name in defaults}
    assert without_defaults(model, others | {"more": 1}) == others | {"more": 1}


@pytest.mark.parametrize("model", sorted(catalogue.entries()))
def test_the_defaults_of_every_network_of_the_zoo_are_dropped(model):
    assert without_defaults(model, defaults_of(registry.load_all()[model].build)) == {}


def test_one_is_not_true():
    """A record is data from anywhere: `parallel=0` is not what the claim spells."""
    fragmented = "backbone_bench.zoo.shufflenet_micro:fragmented"
    assert without_defaults(fragmented, {"parallel": 0}) == {"parallel": 0}


@pytest.mark.parametrize("model", ["net.py:Net", "timm:resnet50", "other.module:build", "backbone_bench.zoo.absent:x"])
def test_of_a_model_of_others_every_argument_stays(model):
    assert without_defaults(model, {"parallel": False}) == {"parallel": False}
