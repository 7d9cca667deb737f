"""The same network in torchvision and timm, where they are installed: is it really the same?"""

from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec

from torch import nn

from backbone_bench.errors import UserError
from backbone_bench.zoo import sources
from backbone_bench.zoo.names import TWINS, Twin
from backbone_bench.zoo.sources import Request


def compare(name: str, model: nn.Module) -> Mapping[str, str]:
    """What there is to say of each twin of a zoo network; nothing of libraries that are not here."""
    twins = [twin for twin in TWINS.get(name, ()) if find_spec(twin.reference.partition(":")[0]) is not None]
    return {twin.reference: _verdict(twin, model) for twin in twins}


def _verdict(twin: Twin, model: nn.Module) -> str:
    try:
        other = sources.load(Request(twin.reference, twin.arguments), on_meta=True).model
    except UserError as error:  # the library does not fit this torch
        return f"not compared: {error}"
    if _shapes(model) == _shapes(other):
        return "same network"
    ours, theirs = (sum(p.numel() for p in one.parameters()) for one in (model, other))
    return f"{theirs - ours:+d} parameters: {twin.parts}" if twin.parts else f"another network: {theirs} parameters"


def _shapes(model: nn.Module) -> Counter[tuple[int, ...]]:
    return Counter(tuple(tensor.shape) for tensor in model.state_dict().values())
