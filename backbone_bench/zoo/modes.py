"""Mode (train or eval) of a model. An exported program keeps the mode in which its graph was exported.

Torch always leaves `training` at True in an exported program and refuses `train()` and `eval()`.
"""

from collections.abc import Iterator
from typing import TypeGuard

import torch
from torch import nn


def evaluating(model: nn.Module) -> nn.Module:
    """Put the model in eval mode; an exported program keeps its own mode."""
    return model if _is_exported(model) else model.eval()


def with_graph_mode(model: nn.Module) -> nn.Module:
    """Set `training` of an exported program to the mode of its graph; return other models unchanged.

    A graph in which no operation depends on the mode accepts both: it loses torch's refusal of `train` and `eval`.
    """
    if not _is_exported(model):
        return model
    modes = {trains for node in model.graph.nodes for trains in _modes(node)}
    if not modes:
        del model.train, model.eval  # torch's own, which raise
    for module in model.modules():
        module.training = True in modes
    return model


def copy_mode(exported: nn.Module, copy: nn.Module) -> None:
    """Give a copy of an exported program its mode too: a copy made by torch no longer refuses the other mode."""
    if _is_exported(exported):
        vars(copy).update(train=exported.train, eval=exported.eval)
        with_graph_mode(copy)


def _is_exported(model: nn.Module) -> TypeGuard[torch.fx.GraphModule]:
    return isinstance(model, torch.fx.GraphModule) and "train" in vars(model)  # torch's own, which raises


def _modes(node: torch.fx.Node) -> Iterator[bool]:
    """The values of an operation's `train` or `training` argument, if it has one."""
    if isinstance(node.target, torch._ops.OpOverload):
        names = (argument.name for argument in node.target._schema.arguments)
        by_name = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
        yield from (bool(by_name[name]) for name in ("train", "training") if name in by_name)
