"""FLOPs and parameters of every torchvision classification model equal the metadata of its default weights."""

import pytest

from backbone_bench.records import Scalar
from tests.extras.counted import counted

torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed: make test-extras")
models = torchvision.models

TITLES = ("torchvision", "input", "FLOPs", "published GFLOPs", "parameters", "published", "note")
ROUNDING = 0.0005e9 + 1  # `_ops` has three decimals of GFLOPs

# Arguments of the released networks that differ from what torchvision builds without weights.
AS_RELEASED: dict[str, dict[str, Scalar]] = {
    "googlenet": {"aux_logits": False},  # the auxiliary classifiers are dropped once the weights are in
    "vit_h_14": {"image_size": 518},  # its first weights were fine-tuned at another size
}


@pytest.mark.parametrize("name", models.list_models(module=models))
def test_flops_and_parameters_are_those_of_the_default_weights(name, row):
    weights = models.get_model_weights(name).DEFAULT
    given = AS_RELEASED.get(name, {})
    inputs, cost = counted(f"torchvision:{name}", given, weights.transforms().crop_size[0])
    published = weights.meta["_ops"]
    note = " ".join(f"built with {argument}={value}, as released" for argument, value in given.items())
    row(name, inputs, cost.flops, published, cost.params, weights.meta["num_params"], note)
    assert abs(cost.flops - published * 1e9) <= ROUNDING
    assert cost.params == weights.meta["num_params"]
    assert not cost.uncounted


def test_googlenet_as_built_has_the_auxiliary_classifiers_in_its_parameters_alone():
    built, released = (counted("torchvision:googlenet", given)[1] for given in ({}, {"aux_logits": False}))
    auxiliary = 2 * (512 * 128 + 2 * 128 + 2048 * 1024 + 1024 + 1024 * 1000 + 1000) + 16 * 128  # the second sees 528
    assert built.params - released.params == auxiliary
    assert built.flops == released.flops


def test_the_usual_size_is_the_one_that_the_model_is_built_for():
    assert counted("torchvision:vit_h_14")[0] == "1x3x224x224:float32"
    assert counted("torchvision:vit_b_16", {"image_size": 384})[0] == "1x3x384x384:float32"


def test_vit_b_16_to_the_last_multiply_add():
    assert counted("torchvision:vit_b_16")[1].flops == 17_563_828_224
