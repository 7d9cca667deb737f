"""A network of the zoo that waits busily after each call, for a share of its time: a known slowdown for trials.

Both sides of a trial are built here, one with 0 %, so that they differ by the wait alone.
"""

import time
from typing import Any

from torch import nn

from backbone_bench.zoo import registry


class Slowed(nn.Module):
    """A network that takes `percent` longer than it needs."""

    def __init__(self, network: nn.Module, percent: float) -> None:
        super().__init__()
        self.network, self.share = network, percent / 100

    def forward(self, x: Any) -> Any:
        start_s = time.perf_counter()
        output = self.network(x)
        now_s = time.perf_counter()
        end_s = now_s + self.share * (now_s - start_s)
        while time.perf_counter() < end_s:
            pass
        return output


def net(name: str = "mobilenetv2", percent: float = 0.0) -> nn.Module:
    """The network `name`, slower by `percent`."""
    return Slowed(registry.load_all()[name].build(), percent)
