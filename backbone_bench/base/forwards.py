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
    scripted = {kind for kind in {type(module) for _, module in modules} if issubclass(kind, ScriptModule)}
    before: list[tuple[dict[str, Any], Forward | None]] = []
    try:
        for name, module in modules:
            if type(module) not in scripted:
                attributes = vars(module)
                forward = wrap(name, module.forward)
                before.append((attributes, attributes.get("forward")))
                attributes["forward"] = forward
        yield
    finally:
        for attributes, original in before:
            if original is None:
                del attributes["forward"]
            else:
                attributes["forward"] = original
