"""The networks that calibrate a device.

Four networks at two batches tell the five constants apart: resnet50, vgg19 (arithmetic), densenet121 (traffic and
launches), resnext50 (grouped convolutions). On the records of the first GPU they predict the other networks with a mean
error of 5.6 % at batch 1 and 4.0 % at batch 32; resnet50 alone, those without grouped convolutions with 8.6 and 5.1 %.
Rows at one batch do not calibrate another.
"""

from collections.abc import Mapping, Sequence

from backbone_bench.base.errors import UserError, did_you_mean

DEFAULT = ("resnet50", "vgg19", "densenet121", "resnext50_32x4d")
QUICK = ("resnet50",)

MORE: Mapping[str, tuple[str, ...]] = {
    "depthwise": ("mobilenetv2", "vovnetv2_19_dw"),
    "attention": ("torchvision:vit_b_16", "torchvision:vit_b_32"),
}
_KINDS = " and ".join(MORE)
BATCHES = (1, 32)

# By results/predict-cpu.md, which tries the line on one thread of a CPU: it is no nearer than FLOPs with traffic.
HOST_IS_ACCEPTED = False


def networks(*, quick: bool, more: Sequence[str]) -> tuple[str, ...]:
    """The networks to measure. Raises UserError for an unknown kind of them."""
    for kind in more:
        if kind not in MORE:
            raise UserError(f"--with {kind}: {did_you_mean(kind, MORE, f'There are {_KINDS}.')}")
    return (*(QUICK if quick else DEFAULT), *(name for kind in more for name in MORE[kind]))


def check_device(*, host: bool) -> None:
    """Raise UserError for a CPU, on which the line was tried and is not good enough."""
    if host and not HOST_IS_ACCEPTED:
        raise UserError(
            "A CPU is not calibrated: over two dozen networks the line was no nearer than FLOPs with traffic "
            "(results/predict-cpu.md). Measure there, with `bench run --device cpu`."
        )
