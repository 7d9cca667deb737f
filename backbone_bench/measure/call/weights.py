"""Weight initialisation that keeps the activations of a deep random network in a normal range.

With torch's default initialisation the activations of VoVNet-57 shrink to 4e-8,
all of them subnormal in half precision, and those of CIFAR ResNet-1202 grow to
6e5, which overflows it. Subnormal numbers slow a CPU down; zeros and constants
let a GPU use less power.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from backbone_bench.base.pytree import map_tensors
from backbone_bench.measure.call.step import draw


def lsuv_init(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], *, batch: int = 1, seed: int = 0
) -> None:
    """Scale weights and set batch-norm statistics, in one pass over one random image from the seed.

    Each convolution and linear layer is scaled, at its first call, to outputs of root
    mean square 1 (layer-sequential unit variance, LSUV: Mishkin and Matas, arXiv
    1511.06422). Each batch norm takes the mean and variance of its input. The pass
    runs on the device of the model. Do not use it for trained weights: it overwrites
    them.
    """
    generator = torch.Generator().manual_seed(seed)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))

    def image(tensor: Tensor) -> Tensor:
        single = tensor[:1] if tensor.dim() and tensor.shape[0] == batch else tensor
        return draw(single, generator).to(device)

    positional, named = map_tensors((tuple(args), dict(kwargs)), image)
    with torch.no_grad(), _in_eval(model), ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, (_ConvNd, nn.Linear)):
                hooks.enter_context(module.register_forward_hook(_once(_scale)))
            elif isinstance(module, _BatchNorm) and module.track_running_stats:
                hooks.enter_context(module.register_forward_pre_hook(_once(_take_statistics)))
        model(*positional, **named)


@contextmanager
def _in_eval(model: nn.Module) -> Iterator[None]:
    """Eval mode for all modules; each gets its own mode back on exit."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _once(hook: Callable[..., None]) -> Callable[..., None]:
    """Run a hook at the first call only, so that later calls of the module change nothing."""
    called = False

    def first(*args: Any) -> None:
        nonlocal called
        if not called:
            called = True
            hook(*args)

    return first


def _scale(module: _ConvNd | nn.Linear, args: tuple[Tensor, ...], output: Tensor) -> None:
    rms = float(output.double().square().mean().sqrt())
    if 0 < rms < float("inf"):
        output.div_(rms)
        module.weight.div_(rms)
        if module.bias is not None:
            module.bias.div_(rms)


def _take_statistics(module: _BatchNorm, args: tuple[Tensor, ...]) -> None:
    """Give every channel the mean and variance of the whole feature map.

    The variance of one channel with few pixels, all from one image, is unreliable:
    with statistics per channel ResNet-152 at 64x64 reaches 5e4 on the next image.
    """
    variance, mean = torch.var_mean(args[0].double(), correction=0)
    assert module.running_mean is not None
    assert module.running_var is not None
    module.running_mean.fill_(float(mean))
    module.running_var.fill_(float(variance) or 1.0)
    if module.affine and not module.weight.any():
        module.weight.fill_(1)  # released code starts residual branches at 0, and zeros are cheap to compute with
