"""Autocast in a pass on the meta device: a model asks for it by its input's device, and torch has none for meta."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch


@contextmanager
def autocast_on_meta() -> Iterator[None]:
    """Let `torch.autocast(x.device.type, …)` do nothing for a meta tensor, as autocast for any other device does."""
    original = torch.autocast.__init__

    @wraps(original)
    def made(self: torch.autocast, device_type: str, *args: Any, **kwargs: Any) -> None:
        if device_type == "meta":
            original(self, "cpu", enabled=False)
        else:
            original(self, device_type, *args, **kwargs)

    torch.autocast.__init__ = made  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.autocast.__init__ = original  # type: ignore[method-assign]
