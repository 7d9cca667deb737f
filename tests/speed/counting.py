"""How fast counting is, against fvcore and torch's own counter: ratios of one run on one thread.

The three take turns on each network, so that a busy machine slows all of
them; times are the process's own, the middle of the rounds. Ours attributes
every operation to its module, as a record has it.
"""

import statistics
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from backbone_bench.cost import count
from backbone_bench.zoo import catalogue, registry

NETWORKS = ("resnet50", "densenet201", "vgg19", "vovnet39", "cifar_resnetv2_1001")
ROUNDS = 5


class Times(NamedTuple):
    """Seconds of the three counters on one network."""

    network: str
    ours_s: float
    fvcore_s: float
    torch_s: float

    @property
    def over_fvcore(self) -> float:
        return self.fvcore_s / self.ours_s

    @property
    def over_torch(self) -> float:
        return self.torch_s / self.ours_s


def compare(name: str) -> Times:
    """Time the three on a network of the zoo; ours and torch's on meta, fvcore's on the CPU, where alone it runs."""
    entry = catalogue.find(name)
    model = registry.load(entry.name, entry.module)
    shapes = registry.build(model, {}, on_meta=True).eval()
    real = registry.build(model, {}, on_meta=False).eval()
    shape = torch.empty(1, *model.input_shape, device="meta")
    image = torch.randn(1, *model.input_shape)
    runs = (lambda: _count(shapes, shape), lambda: _fvcore(real, image), lambda: _flop_counter(shapes, shape))
    for run in runs:  # what is loaded or cached at the first call
        run()
    rounds = [[_time_s(run) for run in runs] for _ in range(ROUNDS)]
    return Times(name, *(statistics.median(times) for times in zip(*rounds, strict=True)))


def _time_s(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _count(model: nn.Module, image: torch.Tensor) -> None:
    count(model, [image])


def _fvcore(model: nn.Module, image: torch.Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        with torch.no_grad():
            counts = FlopCountAnalysis(model, image)
            counts.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            counts.total()


def _flop_counter(model: nn.Module, image: torch.Tensor) -> None:
    with torch.no_grad(), FlopCounterMode(display=False):
        model(image)


def table() -> str:
    """Every network in a row, and the geometric means."""
    torch.set_num_threads(1)
    rows = [compare(name) for name in NETWORKS]
    lines = [
        f"{row.network:22s}{row.ours_s * 1e3:10.1f}{row.fvcore_s * 1e3:12.1f}{row.torch_s * 1e3:12.1f}"
        f"{row.over_fvcore:12.1f}{row.over_torch:12.1f}"
        for row in rows
    ]
    head = f"{'network':22s}{'ours, ms':>10s}{'fvcore, ms':>12s}{'torch, ms':>12s}{'/ fvcore':>12s}{'/ torch':>12s}"
    means = [
        statistics.geometric_mean(ratios)
        for ratios in ([row.over_fvcore for row in rows], [row.over_torch for row in rows])
    ]
    return "\n".join([head, *lines, f"{'geometric mean':22s}{'':34s}{means[0]:12.1f}{means[1]:12.1f}"])
