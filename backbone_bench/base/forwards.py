"""Wrappers around the `forward` of modules, for as long as somebody listens."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from torch import nn
from torch.jit import ScriptModule

Forward: TypeAlias = Callable[..., Any]


@contextmanager
def wrapped(modules: Sequence[tuple[str, nn.Module]], wrap: Callable[[str, Forward], Forward]) -> Iterator[None]:
    """Replace every module's `forward` by `wrap(name, forward)` within the block; scripted modules keep theirs.

    Global forward hooks would be slower, would see other threads, and would miss
    a `forward` that is called directly.
    """
    found = [(vars(module), name, module) for name, module in modules if not isinstance(module, ScriptModule)]
    originals = [attributes.get("forward") for attributes, _, _ in found]
    for attributes, name, module in found:
        attributes["forward"] = wrap(name, module.forward)
    try:
        yield
    finally:
        for (attributes, _, _), forward in zip(found, originals, strict=True):
            if forward is None:
                del attributes["forward"]
            else:
                attributes["forward"] = forward
