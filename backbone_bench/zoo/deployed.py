"""Networks as they are deployed: the branches that only training needs are merged into one convolution.

RepVGG, MobileOne and RepViT are trained with parallel branches and run without them. Papers print the merged form;
timm builds the form of training, with more parameters and up to four times the FLOPs.
"""

from importlib import import_module

from torch import nn

from backbone_bench.base.errors import UserError
from backbone_bench.zoo import sources
from backbone_bench.zoo.sources import Request


def timm(name: str) -> nn.Module:
    """Build a network of timm in the form in which it is deployed. Raises UserError if it has no such form."""
    trained = sources.load(Request(f"timm:{name}"), on_meta=False).model
    deployed: nn.Module = import_module("timm").utils.reparameterize_model(trained)
    if _parameters(deployed) == _parameters(trained):
        raise UserError(f"timm:{name} is deployed as it is trained: name it timm:{name}.")
    return deployed


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
