"""Counter of the networks that claims name: `backbone_bench/claims/counts.json` and `zoo_counts.json`.

Both judge every shipped claim and store the metrics of each network that was asked for. The networks of timm and
torchvision need the environment of `make test-extras`: `make counts` stores all their metrics in some minutes. Those of
the networks that this program builds are a generated file like others.
"""

import gc
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import backbone_bench
from backbone_bench.base.errors import UserError
from backbone_bench.claims.data import papers
from backbone_bench.claims.data.metrics import METRICS
from backbone_bench.claims.data.subjects import LayerStack, Network
from backbone_bench.claims.data.verdicts import NoEvidence
from backbone_bench.claims.evidence import counter, publications, stored
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.evidence.stored import NetworkKey
from backbone_bench.claims.judges import engine
from backbone_bench.records import Scalar
from backbone_bench.zoo import catalogue

FILE = Path(backbone_bench.__file__).parent / "claims" / stored.OF_PACKAGES
LIBRARIES = ("timm", "torch", "torchvision")

Metrics = dict[str, float | None]


@dataclass
class Asked(Evidence):
    """Evidence that remembers which metrics of which networks it was asked for."""

    values: dict[NetworkKey, Metrics] = field(default_factory=dict)

    def value(self, subject: Network | LayerStack, metric: str) -> float:
        value = super().value(subject, metric)
        if isinstance(subject, Network):
            entry = catalogue.entries().get(subject.model)
            size = subject.size or (entry.input[1] if entry else None)
            if size is None:
                raise UserError(f"A claim names {subject} without its input size: write {subject}@224.")
            known = self.values.setdefault(stored.key(subject.model, subject.arguments or {}, size), {})
            known[metric] = value
        return value


def asked(*, fresh: bool) -> Asked:
    """Judge all shipped claims: networks of the zoo are counted, those of packages if `fresh`, else read."""
    counting = counter.BY_NAME
    evidence = Asked(
        count=counting.count,
        listed=counting.listed,
        stored=None if fresh else _of_packages,
        shapes=counting.shapes,
        publications=publications.shipped(),
    )
    engine.judge_all(papers.entries(papers.shipped()), evidence)
    return evidence


def _of_packages(model: str, arguments: Mapping[str, Scalar], size: int | None) -> Mapping[str, float]:
    return stored.of_packages().find(model, arguments, size) if stored.package(model) else {}


def all_metrics(evidence: Evidence, network: NetworkKey) -> Metrics:
    """All metrics of a network; None for one that it does not have."""
    model, arguments, size = network
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


def of_packages() -> str:
    """The text of `counts.json`."""
    evidence = asked(fresh=True)
    networks = {key: all_metrics(evidence, key) for key in evidence.values if stored.package(key[0])}
    return _text(networks, versions(), usual_side)


def of_zoo() -> str:
    """The text of `zoo_counts.json`."""
    networks = {key: values for key, values in asked(fresh=False).values.items() if not stored.package(key[0])}
    return _text(networks, {}, lambda model: entry.input[1] if (entry := catalogue.entries().get(model)) else None)


def _text(
    networks: Mapping[NetworkKey, Metrics], made_with: Mapping[str, str], side_of: Callable[[str], int | None]
) -> str:
    """The networks as JSON, one in a line; a metric that is not known is null."""
    sides = {model: side_of(model) for model in _models(networks)}
    rows = [
        json.dumps([model, dict(arguments), size, sides[model], *(values.get(metric) for metric in METRICS)])
        for (model, arguments, size), values in sorted(networks.items(), key=lambda item: str(item[0]))
    ]
    head = f'"versions": {json.dumps(made_with)},\n"metrics": {json.dumps(list(METRICS))}'
    return f'{{\n{head},\n"networks": [\n' + ",\n".join(rows) + "\n]\n}\n"


def _models(networks: Iterable[NetworkKey]) -> Iterable[str]:
    return dict.fromkeys(model for model, *_ in networks)


def main() -> None:
    gc.disable()
    FILE.write_text(of_packages(), encoding="utf-8")
    print(f"{FILE}: {len(json.loads(FILE.read_text(encoding='utf-8'))['networks'])} networks")


if __name__ == "__main__":
    main()
