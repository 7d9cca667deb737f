"""Counter of the networks of timm and torchvision that claims name: `backbone_bench/claims/counts.json`.

`make counts` runs it in the environment of `make test-extras`. It judges every shipped claim with fresh counts and
stores all metrics of each network that was asked for, so that the claims need neither package afterwards.
"""

import gc
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import backbone_bench
from backbone_bench.base.errors import UserError
from backbone_bench.claims.data import papers
from backbone_bench.claims.data.metrics import METRICS
from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.data.verdicts import NoEvidence
from backbone_bench.claims.evidence import counter, publications, stored
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.evidence.stored import NetworkKey
from backbone_bench.claims.judges import engine
from backbone_bench.records import ModelCost, Scalar

FILE = Path(backbone_bench.__file__).parent / "claims" / stored.FILE
LIBRARIES = ("timm", "torch", "torchvision")

Metrics = dict[str, float | None]


def asked() -> Iterator[NetworkKey]:
    """Networks of other packages that judging all shipped claims counts, without those that do not take the size."""
    counted: dict[NetworkKey, None] = {}

    def count(model: str, arguments: Mapping[str, Scalar], size: int | None, batch: int) -> ModelCost:
        cost = counter.BY_NAME.count(model, arguments, size, batch)
        if stored.package(model):
            if size is None:
                raise UserError(f"A claim names {model} without its input size: write {model}@224.")
            counted[stored.key(model, arguments, size)] = None
        return cost

    evidence = Evidence(count=count, listed=counter.BY_NAME.listed, publications=publications.shipped())
    engine.judge_all(papers.entries(papers.shipped()), evidence)
    yield from sorted(counted, key=str)


def fresh(network: NetworkKey) -> Metrics:
    """All metrics of a network, counted now; None for one that it does not have."""
    model, arguments, size = network
    evidence = Evidence(count=counter.BY_NAME.count, shapes=counter.BY_NAME.shapes)
    return {name: _value(evidence, Network(model, size, dict(arguments) or None), name) for name in METRICS}


def _value(evidence: Evidence, network: Network, metric: str) -> float | None:
    try:
        return evidence.value(network, metric)
    except NoEvidence:
        return None


def usual_side(model: str) -> int | None:
    """Side of the square image that a network takes if none is given; None if it needs to be given."""
    from backbone_bench import profiler
    from backbone_bench.jobs.job import Job

    try:
        return profiler.count(Job(model, {})).workload.specs[0].square
    except UserError:
        return None


def versions() -> Mapping[str, str]:
    """Versions of the libraries that are installed here."""
    return {name: version(name).partition("+")[0] for name in LIBRARIES}


def text() -> str:
    """The stored counts as JSON, one line for each network."""
    networks = list(asked())
    sides = {model: usual_side(model) for model in dict.fromkeys(model for model, *_ in networks)}
    rows = [
        json.dumps([model, dict(arguments), size, sides[model], *fresh((model, arguments, size)).values()])
        for model, arguments, size in networks
    ]
    head = f'"versions": {json.dumps(versions())},\n"metrics": {json.dumps(list(METRICS))}'
    return f'{{\n{head},\n"networks": [\n' + ",\n".join(rows) + "\n]\n}\n"


def main() -> None:
    gc.disable()
    FILE.write_text(text(), encoding="utf-8")
    print(f"{FILE}: {len(json.loads(FILE.read_text(encoding='utf-8'))['networks'])} networks")


if __name__ == "__main__":
    main()
