"""A network of the zoo that waits busily after each call: a known slowdown for trials.

On a CPU it waits for a share of the call's time, on CUDA for so many cycles of the card. Both sides of a trial are
built here, one without a wait, so that they differ by the wait alone.
"""

import time
from typing import Any

import torch
from torch import nn

from backbone_bench.zoo import registry


class Slowed(nn.Module):
    """A network that takes longer than it needs: by `percent` on a CPU, by `cycles` on CUDA."""

    def __init__(self, network: nn.Module, percent: float, cycles: int) -> None:
        super().__init__()
        self.network, self.share, self.cycles = network, percent / 100, cycles

    def forward(self, x: Any) -> Any:
        if x.is_cuda:
            output = self.network(x)
            if self.cycles:
                torch.cuda._sleep(self.cycles)
            return output
        start_s = time.perf_counter()
        output = self.network(x)
        now_s = time.perf_counter()
        end_s = now_s + self.share * (now_s - start_s)
        while time.perf_counter() < end_s:
            pass
        return output


def net(name: str = "mobilenetv2", percent: float = 0.0, cycles: int = 0) -> nn.Module:
    """The network `name`, slower by `percent` on a CPU, or by so many cycles on CUDA."""
    return Slowed(registry.load_all()[name].build(), percent, cycles)
