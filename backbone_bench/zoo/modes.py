"""Training or evaluation: an exported program is in the mode that its graph was exported in, and stays in it.

Torch leaves `training` at True whatever was exported, and refuses to set it.
"""

from collections.abc import Iterator
from typing import TypeGuard

import torch
from torch import nn


def evaluating(model: nn.Module) -> nn.Module:
    """The model in eval mode, but for an exported program, which keeps its own."""
    return model if _is_exported(model) else model.eval()


def in_its_mode(model: nn.Module) -> nn.Module:
    """Let an exported program say whether it trains as its graph does; one in which nothing asks takes either mode."""
    if not _is_exported(model):
        return model
    found = {trains for node in model.graph.nodes for trains in _modes(node)}
    if not found:
        del model.train, model.eval  # what refuses
    for module in model.modules():
        module.training = True in found
    return model


def keep(exported: nn.Module, copied: nn.Module) -> None:
    """Give the copy of an exported program its mode too: torch's forgets to refuse another."""
    if _is_exported(exported):
        vars(copied).update(train=exported.train, eval=exported.eval)
        in_its_mode(copied)


def _is_exported(model: nn.Module) -> TypeGuard[torch.fx.GraphModule]:
    return isinstance(model, torch.fx.GraphModule) and "train" in vars(model)  # its own, which refuses


def _modes(node: torch.fx.Node) -> Iterator[bool]:
    """What an operation is told of whether it is in training."""
    if isinstance(node.target, torch._ops.OpOverload):
        names = (argument.name for argument in node.target._schema.arguments)
        given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
        yield from (bool(given[name]) for name in ("train", "training") if name in given)
