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
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from backbone_bench.cost import count
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.rules import ShapeRules, remembered
from backbone_bench.cost.rules.table import launches_nothing
from backbone_bench.zoo import catalogue, sources
from backbone_bench.zoo.sources import Request

NETWORKS = ("resnet50", "densenet201", "vgg19", "vovnet39", "cifar_resnetv2_1001")
# They need timm, which `make test-extras` has.
MODERN = (
    "timm:convnext_tiny", "timm:swin_tiny_patch4_window7_224", "timm:vit_base_patch16_224", "timm:efficientnet_b0",
)  # fmt: skip
DEEPER = ("resnet18", "resnet50", "resnet152", "cifar_resnetv2_164", "cifar_resnetv2_1001")
ROUNDS = 5
LEAST_S = 0.02  # of CPU time, for one figure


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
    """Time the three counters on a network; ours and torch's on meta, fvcore with real tensors."""
    shapes, shape = _built(name)
    real, image = _built(name, on_meta=False)
    runs = (lambda: _count(shapes, shape), lambda: _fvcore(real, image), lambda: _flop_counter(shapes, shape))
    rounds = [[_second_s(run) for run in runs] for _ in range(ROUNDS)]
    return Times(name, *(statistics.median(times) for times in zip(*rounds, strict=True)))


def _built(name: str, *, on_meta: bool = True) -> tuple[nn.Module, torch.Tensor]:
    """A network in eval mode, and an image for it."""
    loaded = sources.load(Request(name), on_meta=on_meta)
    (shape,) = loaded.inputs.args
    return loaded.model, torch.empty_like(shape, device="meta") if on_meta else torch.randn(shape.shape)


def _second_s(run: Callable[[], object]) -> float:
    """CPU time of a call after a first one, which loads modules and fills the caches."""
    run()
    return _time_s(run)


def _time_s(run: Callable[[], object]) -> float:
    """Mean CPU time of as many calls as take 20 ms: a single one of a millisecond finds the processor's caches cold."""
    start, calls = time.process_time(), 0
    while (spent_s := time.process_time() - start) < LEAST_S or not calls:
        run()
        calls += 1
    return spent_s / calls


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
    """Ratios of all networks, misses of the fast path, growth with depth, the whole zoo, and peak memory."""
    torch.set_num_threads(1)
    names = NETWORKS + (MODERN if find_spec("timm") else ())
    return "\n\n".join((ratios(map(compare, names)), fast_path(names), _flatness(), _whole_zoo(), _memory()))


def ratios(times: Iterable[Times]) -> str:
    rows = list(times)
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


class FastPath(NamedTuple):
    """Functions of one count that launch work, and those of them that ran torch's kernel under the recorder."""

    functions: int
    kernels: int


def missed(model: nn.Module, image: torch.Tensor) -> FastPath:
    """Count once, and see which functions miss the shape rules and what is remembered."""
    functions = kernels = 0
    through, entered = ShapeRules.__torch_function__, Recorder.__enter__

    def function(self: ShapeRules, func: Any, *more: Any) -> Any:
        nonlocal functions
        functions += not launches_nothing(func)
        return through(self, func, *more)

    def kernel(self: Recorder) -> Any:
        nonlocal kernels
        kernels += 1
        return entered(self)

    with patch.object(ShapeRules, "__torch_function__", function), patch.object(Recorder, "__enter__", kernel):
        count(model, [image])
    return FastPath(functions, kernels)


def fast_path(names: Iterable[str]) -> str:
    """Share of operations that miss the fast path, in the first count of a process and in a second one."""
    lines = []
    for name in names:
        remembered.forget()
        model, image = _built(name)
        first, second = missed(model, image), missed(model, image)
        shares = " | ".join(f"{one.kernels} ({one.kernels / one.functions:.1%})" for one in (first, second))
        lines.append(f"| {name} | {first.functions} | {shares} |")
    head = "| misses of the fast path | functions | in a first count | in a second |\n| --- | ---: | ---: | ---: |"
    return "\n".join((head, *lines))


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
