"""Write the shapes of torchvision's and timm's networks: `python -m tests.zoo.write_shapes` where both are installed.

They are data for the tests, which then need neither library. One line is one
network: its references, then each shape in its state dictionary and how often
it occurs.
"""

import json
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import timm
import torch
import torchvision
from torch import nn

from backbone_bench.zoo.twins import TWINS, Twin

FILE = Path(__file__).parent / "data" / "shapes.json"


def build(twin: Twin) -> nn.Module:
    source, _, name = twin.reference.partition(":")
    with torch.device("meta"):
        if source == "timm":
            return timm.create_model(name, **twin.arguments)
        return torchvision.models.get_model(name, weights=None, **twin.arguments)


def shapes(model: nn.Module) -> str:
    """`64x3x7x7`, or `64*5` where five tensors have the shape; a scalar is `1`."""
    counts = Counter("x".join(map(str, tensor.shape)) or "1" for tensor in model.state_dict().values())
    return " ".join(shape if times == 1 else f"{shape}*{times}" for shape, times in sorted(counts.items()))


def main() -> None:
    networks: dict[str, list[str]] = {}
    for twins in TWINS.values():
        for twin in twins:
            networks.setdefault(shapes(build(twin)), []).append(twin.reference)
    versions = {package: version(package) for package in ("torch", "torchvision", "timm")}
    lines = [f"{json.dumps(' '.join(names))}: {json.dumps(text)}" for text, names in networks.items()]
    FILE.write_text(f'{{\n"source": {json.dumps(versions)},\n"networks": {{\n' + ",\n".join(lines) + "\n}\n}\n")


if __name__ == "__main__":
    main()
