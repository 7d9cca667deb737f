"""The digest of names and shapes differs for networks of equal cost that differ in these, and for nothing else."""

import torch
from torch import nn

from backbone_bench.cost import digest


class Two(nn.Module):
    """Two layers, in either order of registration."""

    def __init__(self, first: str = "a", second: str = "b", width: int = 4) -> None:
        super().__init__()
        for name in (first, second):
            setattr(self, name, nn.Linear(3, width))


def shapes_sha256(model: nn.Module) -> str:
    return digest.shapes_sha256(model.named_modules())


def test_values_and_order_do_not_matter():
    torch.manual_seed(0)
    assert shapes_sha256(Two()) == shapes_sha256(Two("b", "a"))


def test_names_shapes_and_buffers_do():
    buffered = Two()
    buffered.register_buffer("extra", torch.zeros(1))
    assert len({shapes_sha256(one) for one in (Two(), Two("a", "c"), Two(width=5), buffered)}) == 4


def test_a_model_without_values_has_the_digest_of_one_with_them():
    with torch.device("meta"):
        shapes = Two()
    assert shapes_sha256(shapes) == shapes_sha256(Two())
