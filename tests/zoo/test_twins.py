"""The zoo's networks have the same tensors as their twins in torchvision and timm."""

import json
from collections import Counter
from math import prod
from pathlib import Path

import pytest

from backbone_bench.zoo import catalogue
from backbone_bench.zoo.twins import TWINS
from tests.zoo.built import on_meta

Shapes = Counter[tuple[int, ...]]

FILE = Path(__file__).parent / "data" / "shapes.json"  # written by write_shapes.py, with the library versions
PAIRS = [(name, twin) for name, twins in TWINS.items() for twin in twins]


def read(text: str) -> Shapes:
    shapes: Shapes = Counter()
    for word in text.split():
        shape, _, times = word.partition("*")
        shapes[tuple(map(int, shape.split("x"))) if shape != "1" else ()] = int(times or 1)
    return shapes


THEIRS = {
    reference: read(text)
    for references, text in json.loads(FILE.read_text(encoding="utf-8"))["networks"].items()
    for reference in references.split()
}


def ours(name: str) -> Shapes:
    return Counter(tuple(tensor.shape) for tensor in on_meta(name).state_dict().values())


def values(shapes: Shapes) -> int:
    """Number of values, without the counters of batch norm."""
    return sum(prod(shape) * times for shape, times in shapes.items() if shape)


def test_every_twin_is_of_a_network_and_in_the_data():
    assert set(TWINS) <= set(catalogue.entries())
    assert {twin.reference for _, twin in PAIRS} == set(THEIRS)


@pytest.mark.parametrize(("name", "twin"), PAIRS, ids=lambda part: getattr(part, "reference", part))
def test_the_tensors_are_those_of_the_twin_unless_the_table_says_where_they_part(name, twin):
    assert (ours(name) == THEIRS[twin.reference]) is (twin.difference == "")


@pytest.mark.parametrize(
    ("name", "twin"),
    [pair for pair in PAIRS if pair[1].reshaped],
    ids=lambda part: getattr(part, "reference", part),
)
def test_a_reshaped_twin_has_as_many_values(name, twin):
    assert twin.difference
    assert values(ours(name)) == values(THEIRS[twin.reference])
