"""Speed of counting against fvcore and torch's FlopCounterMode: ratios of one run on one thread.

The three run in turn on each network, so that a busy machine slows all of
them. Times are CPU times of the process, as the median over the rounds. Ours
also attributes every operation to its module, as a record does.
"""

import statistics
import subprocess
import sys
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
DEEPER = ("resnet18", "resnet50", "resnet152", "cifar_resnetv2_164", "cifar_resnetv2_1001")
ROUNDS = 5


class Times(NamedTuple):
    """CPU seconds of the three counters on one network."""

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
    """Time the three counters on a zoo network; ours and torch's on meta, fvcore with real tensors."""
    shapes, shape = _built(name)
    real, image = _built(name, on_meta=False)
    runs = (lambda: _count(shapes, shape), lambda: _fvcore(real, image), lambda: _flop_counter(shapes, shape))
    rounds = [[_second_s(run) for run in runs] for _ in range(ROUNDS)]
    return Times(name, *(statistics.median(times) for times in zip(*rounds, strict=True)))


def _built(name: str, *, on_meta: bool = True) -> tuple[nn.Module, torch.Tensor]:
    """A network of the zoo in eval mode, and an image for it."""
    entry = catalogue.find(name)
    model = registry.load(entry.name, entry.module)
    image = torch.randn(1, *model.input_shape)
    return registry.build(model, {}, on_meta=on_meta).eval(), image.to("meta") if on_meta else image


def _second_s(run: Callable[[], object]) -> float:
    """CPU time of the second of two calls: the first call loads modules and fills the caches."""
    run()
    return _time_s(run)


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
    """The ratios of all networks with their geometric means, the growth with depth, the whole zoo, and peak memory."""
    torch.set_num_threads(1)
    return "\n\n".join((_ratios(), _flatness(), _whole_zoo(), _memory()))


def _ratios() -> str:
    rows = [compare(name) for name in NETWORKS]
    lines = [
        f"| {row.network} | {row.ours_s * 1e3:.1f} | {row.fvcore_s * 1e3:.1f} | {row.torch_s * 1e3:.1f} "
        f"| {row.over_fvcore:.1f} | {row.over_torch:.1f} |"
        for row in rows
    ]
    over_fvcore = statistics.geometric_mean(row.over_fvcore for row in rows)
    over_torch = statistics.geometric_mean(row.over_torch for row in rows)
    return "\n".join(
        (
            "| one count | ours (ms) | fvcore (ms) | FlopCounterMode (ms) | over fvcore | over FlopCounterMode |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *lines,
            f"| geometric mean | | | | {over_fvcore:.1f} | {over_torch:.1f} |",
        )
    )


def _flatness() -> str:
    """Seconds per thousand operations, which should not grow with depth."""
    rows = [_rate(name) for name in DEEPER]
    spread = max(rate for _, _, rate in rows) / min(rate for _, _, rate in rows)
    return "\n".join(
        (
            "| depth | operations | s for 1000 of them |",
            "| --- | ---: | ---: |",
            *(f"| {name} | {ops} | {rate:.3f} |" for name, ops, rate in rows),
            f"| largest over smallest | | {spread:.2f} |",
        )
    )


def _rate(name: str) -> tuple[str, int, float]:
    """A network, its operations, and the seconds that a thousand of them take to count."""
    model, image = _built(name)
    ops = count(model, [image]).ops
    spent_s = statistics.median(_time_s(lambda: _count(model, image)) for _ in range(2 * ROUNDS))
    return name, ops, spent_s / ops * 1e3


def _whole_zoo() -> str:
    names = list(catalogue.entries())
    building_s = counting_s = 0.0
    for name in names:
        start = time.process_time()
        model, image = _built(name)
        built = time.process_time()
        count(model, [image])
        building_s, counting_s = building_s + built - start, counting_s + time.process_time() - built
    spent = f"{building_s:.1f} s to build, {counting_s:.1f} s to count"
    return f"The whole zoo, {len(names)} networks in one process: {spent}."


def _memory() -> str:
    """Peak resident memory of a process that counts VGG-19, above one that only imports torch. Linux only."""
    print_peak = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    command = "import sys; from backbone_bench.cli import main; sys.argv = ['bench', 'count', 'vgg19', '-f', 'json']\n"
    counting = f"{command}try:\n    main()\nfinally:\n    {print_peak}"
    alone, with_count = (_last_number(code) / 1024 for code in (f"import torch; {print_peak}", counting))
    return f"Peak memory: {alone:.0f} MiB to import torch, {with_count - alone:+.0f} MiB to count VGG-19 as well."


def _last_number(code: str) -> int:
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return int(output.split()[-1])
