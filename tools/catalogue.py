"""Generator of the zoo's catalogue: `backbone_bench/zoo/catalogue.json`.

FLOPs come from torch's own counter, which is independent of this project's: a test compares the two for every network.
"""

import json
from collections.abc import Iterable

import torch
from torch.utils.flop_counter import FlopCounterMode

from backbone_bench.zoo import registry
from backbone_bench.zoo.catalogue import CatalogueEntry


def entry(model: registry.Model) -> CatalogueEntry:
    """Count parameters and FLOPs of a network on the meta device, without weights or arithmetic."""
    network = registry.build(model, {}, on_meta=True).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty((1, *model.input_shape), device="meta"))
    params = sum(parameter.numel() for parameter in network.parameters())
    flops = counter.get_total_flops() // 2  # torch counts two per multiply-add
    module = model.build.__module__.rpartition(".")[2]
    return CatalogueEntry(model.name, model.family, model.paper, module, model.input_shape, params, flops)


def table(entries: Iterable[CatalogueEntry]) -> str:
    """The text of the catalogue: papers by arXiv number, then one line per model."""
    rows = sorted(entries, key=lambda row: row.module)  # the sort is stable: models of one module keep their order
    papers = {row.paper.arxiv: (row.paper.title, row.paper.year) for row in rows}
    models = [(row.name, row.family, row.paper.arxiv, row.module, row.input, row.params, row.flops) for row in rows]
    text = ",\n".join(
        f'"{name}": {brackets[0]}\n' + ",\n".join(lines) + f"\n{brackets[1]}"
        for name, brackets, lines in (
            ("papers", "{}", [f"{json.dumps(arxiv)}: {json.dumps(paper)}" for arxiv, paper in sorted(papers.items())]),
            ("models", "[]", [json.dumps(model) for model in models]),
        )
    )
    return f"{{\n{text}\n}}\n"


def text() -> str:
    """The catalogue of the whole zoo."""
    return table(entry(model) for model in registry.load_all().values())
