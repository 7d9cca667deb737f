"""Twins: the zoo's networks in torchvision and timm, and a check whether they have the same tensors."""

from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from torch import nn

from backbone_bench.base.errors import UserError
from backbone_bench.zoo import sources
from backbone_bench.zoo.sources import Request


class Twin(NamedTuple):
    """The same network in another library."""

    reference: str  # model reference, such as timm:vovnet39a
    difference: str = ""  # known difference between the two, if any
    reshaped: bool = False  # as many values, in tensors of other shapes
    arguments: Mapping[str, bool] = {}


def _both(*names: str) -> dict[str, tuple[Twin, ...]]:
    return {name: (Twin(f"torchvision:{name}"), Twin(f"timm:{name}")) for name in names}


def _timm(*names: str) -> dict[str, tuple[Twin, ...]]:
    return {name: (Twin(f"timm:{name}"),) for name in names}


def _vgg(*names: str) -> dict[str, tuple[Twin, ...]]:
    difference = "timm builds the first two fully connected layers as convolutions"
    return {name: (Twin(f"torchvision:{name}"), Twin(f"timm:{name}", difference, reshaped=True)) for name in names}


def _resnetv2(*names: str) -> dict[str, tuple[Twin, ...]]:
    difference = "timm's classifier is a 1x1 convolution"
    return {name: (Twin(f"timm:{name}", difference, reshaped=True),) for name in names}


_CONV = "Darknet's classifier is a 1x1 convolution, timm's a fully connected layer"
_SPLIT = f"{_CONV}; timm merges the two convolutions that split a stage"
_WIDER = f"{_SPLIT} and starts the first stage wider"
_ESE = "timm has eSE in the last module of a stage only, the authors' code in every module"

TWINS: Mapping[str, tuple[Twin, ...]] = {
    **_vgg("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
    **_both("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2"),
    **_timm("resnet200", "resnext101_32x4d", "inception_v3"),
    **_resnetv2("resnetv2_50", "resnetv2_101", "resnetv2_152"),
    **_both("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    **_both("densenet121", "densenet161", "densenet169", "densenet201"),
    "inception_v3_aux": (Twin("torchvision:inception_v3"),),
    "googlenet": (Twin("torchvision:googlenet", arguments={"aux_logits": False}),),
    "mobilenetv2": (Twin("torchvision:mobilenet_v2"), Twin("timm:mobilenetv2_100")),
    "mobilenetv1": (Twin("timm:mobilenetv1_100"),),
    "darknet53": (Twin("timm:darknet53", _CONV, reshaped=True),),
    "cspdarknet53": (Twin("timm:cspdarknet53", _SPLIT, reshaped=True),),
    "cspresnet50": (Twin("timm:cspresnet50", _WIDER),),
    "cspresnext50": (Twin("timm:cspresnext50", _WIDER),),
    "vovnet39": (Twin("timm:vovnet39a"),),
    "vovnet57": (Twin("timm:vovnet57a"),),
    "vovnetv2_19_dw": (Twin("timm:ese_vovnet19b_dw"),),
    "vovnetv2_19_slim": (Twin("timm:ese_vovnet19b_slim"),),
    "vovnetv2_19_slim_dw": (Twin("timm:ese_vovnet19b_slim_dw"),),
    "vovnetv2_39": (Twin("timm:ese_vovnet39b", _ESE),),
    "vovnetv2_57": (Twin("timm:ese_vovnet57b", _ESE),),
    "vovnetv2_99": (Twin("timm:ese_vovnet99b", _ESE),),
}


def compare(name: str, model: nn.Module) -> Mapping[str, str]:
    """Compare a zoo network with its twins: a sentence for each; libraries that are not installed are left out."""
    twins = [twin for twin in TWINS.get(name, ()) if find_spec(twin.reference.partition(":")[0]) is not None]
    return {twin.reference: _comparison(twin, model) for twin in twins}


def _comparison(twin: Twin, model: nn.Module) -> str:
    try:
        other = sources.load(Request(twin.reference, twin.arguments), on_meta=True).model
    except UserError as error:  # the library does not fit this torch
        return f"not compared: {error}"
    if _shapes(model) == _shapes(other):
        return "same network"
    ours, theirs = (sum(p.numel() for p in network.parameters()) for network in (model, other))
    return (
        f"{theirs - ours:+d} parameters: {twin.difference}"
        if twin.difference
        else f"a different network: {theirs} parameters"
    )


def _shapes(model: nn.Module) -> Counter[tuple[int, ...]]:
    return Counter(tuple(tensor.shape) for tensor in model.state_dict().values())
