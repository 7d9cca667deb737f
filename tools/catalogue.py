"""Generator of the zoo's catalogue: `backbone_bench/zoo/catalogue.json`.

FLOPs come from torch's own counter, which is independent of this project's: a test compares the two for every network.
The other counts are ours.
"""

import json
from collections.abc import Iterable

import torch
from torch.utils.flop_counter import FlopCounterMode

from backbone_bench.cost import count
from backbone_bench.records.quantities import QUANTITIES
from backbone_bench.zoo import registry
from backbone_bench.zoo.catalogue import CatalogueEntry

COUNTS = tuple(key for key, quantity in QUANTITIES.items() if quantity.path == f"cost.{key}")


def entry(model: registry.Model) -> CatalogueEntry:
    """Count a network on the meta device, without weights or arithmetic."""
    network = registry.build(model, {}, on_meta=True).eval()
    image = torch.empty((1, *model.input_shape), device="meta")
    cost = count(network, (image,))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    counts = {key: getattr(cost, key) for key in COUNTS} | {
        "params": sum(parameter.numel() for parameter in network.parameters()),
        "flops": counter.get_total_flops() // 2,  # torch counts two per multiply-add
    }
    module = model.build.__module__.rpartition(".")[2]
    return CatalogueEntry(model.name, model.family, model.paper, module, model.input_shape, counts)


def table(entries: Iterable[CatalogueEntry]) -> str:
    """The text of the catalogue: papers by arXiv number, then one line per model."""
    rows = sorted(entries, key=lambda row: row.module)  # the sort is stable: models of one module keep their order
    papers = {row.paper.arxiv: (row.paper.title, row.paper.year) for row in rows}
    models = [(row.name, row.family, row.paper.arxiv, row.module, row.input, *row.counts.values()) for row in rows]
    tables = ",\n".join(
        f'"{name}": {brackets[0]}\n' + ",\n".join(lines) + f"\n{brackets[1]}"
        for name, brackets, lines in (
            ("papers", "{}", [f"{json.dumps(arxiv)}: {json.dumps(paper)}" for arxiv, paper in sorted(papers.items())]),
            ("models", "[]", [json.dumps(model) for model in models]),
        )
    )
    return f'{{\n"counts": {json.dumps(COUNTS)},\n{tables}\n}}\n'


def text() -> str:
    """The catalogue of the whole zoo."""
    return table(entry(model) for model in registry.load_all().values())
