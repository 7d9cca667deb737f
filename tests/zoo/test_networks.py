"""The networks of the zoo run: in training and evaluation, in other memory formats, dtypes and sizes."""

import pytest
import torch
from torch import Tensor, nn

from backbone_bench.zoo import catalogue
from tests.zoo.built import DISTINCT, on_meta, with_values

# They pad little; the auxiliary head needs a 17x17 map.
SMALLEST = {"inception_v3": 75, "inception_v3_aux": 299, "alexnet": 67}


def is_cifar(name: str) -> bool:
    return catalogue.find(name).input[1] == 32


def scores(name: str) -> int:
    return 10 if is_cifar(name) else 1000


@pytest.mark.parametrize("name", DISTINCT)
def test_a_backward_pass_gives_every_parameter_a_gradient(name):
    network = on_meta(name).train()  # whether there is a gradient depends on no value
    size = SMALLEST.get(name, 8 if is_cifar(name) else 32)
    output = network(torch.rand(2, 3, size, size, device="meta"))
    outputs = [output] if isinstance(output, Tensor) else list(output)
    assert {tuple(each.shape) for each in outputs} == {(2, scores(name))}
    torch.cat(outputs).mean().backward()
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


def cheapest_of_each_family() -> list[str]:
    """The network with the fewest FLOPs of each family: it runs with values; of the others the shapes decide."""
    entries = {name: catalogue.find(name) for name in DISTINCT}
    families = {entry.family for entry in entries.values()}
    return [
        min((name for name in DISTINCT if entries[name].family == family), key=lambda name: entries[name].flops)
        for family in sorted(families)
    ]


@pytest.mark.parametrize("name", DISTINCT)
def test_formats_types_and_odd_sizes_keep_the_shape_of_the_output(name):
    check_formats(name, on_meta(name).eval(), "meta")


@pytest.mark.parametrize("name", cheapest_of_each_family())
def test_they_do_with_values_too(name):
    check_formats(name, with_values(name).eval(), "cpu")


def check_formats(name: str, network: nn.Module, device: str) -> None:
    size = (99, 111) if name in SMALLEST else (9, 13) if is_cifar(name) else (33, 49)
    image = torch.rand(1, 3, *size, device=device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    with torch.inference_mode():
        last = network(image.to(memory_format=torch.channels_last))
        half = network.bfloat16()(image.bfloat16())
    assert last.shape == half.shape == (1, scores(name))
    assert (last.dtype, half.dtype) == (torch.float32, torch.bfloat16)
