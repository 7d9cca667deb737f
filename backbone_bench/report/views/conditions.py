"""What rows share and in what they differ: the caption of a table, and the columns that it must have.

Records of unlike environments never stand in one table, because a best value
and a ratio mean nothing there. What all rows of a table share is said once, in
its caption; what differs between them is a column.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

from backbone_bench.base.units import PLAIN
from backbone_bench.records import Environment, Gpu, Missing, Record, Setting, TensorSpec
from backbone_bench.records.setting import SETTING_CONDITIONS, Condition
from backbone_bench.report.tables.table import Column


def column_of(facet: Condition[Record]) -> Column[Record]:
    """The facet as a column of a table."""
    if facet.counts:
        return Column(facet.key, facet.title, lambda record: int(facet.text(record)), PLAIN)
    return Column(facet.key, facet.title, facet.text)


def _inputs(record: Record) -> str:
    """`3x224x224`, the batch left out where it leads, and the type where it is float32."""
    return ", ".join(_input(spec, record.workload.batch) for spec in record.workload.specs)


def _input(spec: TensorSpec, batch: int) -> str:
    shape = spec.shape[1:] if spec.shape[:1] == (batch,) else spec.shape
    name = f"{spec.name}=" if spec.name else ""
    return name + ("x".join(map(str, shape)) or "scalar") + ("" if spec.dtype == "float32" else f":{spec.dtype}")


def _precision(record: Record) -> str:
    """The label says how convolutions are really computed: float32 ones are TF32 on many GPUs."""
    precision, conv = record.workload.precision, record.environment.conv_fp32
    return f"{precision} (convolutions {conv})" if precision == "fp32" and conv != "ieee" else precision


def _of_workload(facet: Condition[Setting]) -> Condition[Record]:
    def text(record: Record) -> str:
        return facet.text(record.workload)

    return Condition(facet.key, facet.title, text, facet.phrase, facet.usual, facet.counts)


# A caption says in any case how a model was run, and how float32 was really computed.
_ALWAYS = {
    "mode": lambda facet: facet._replace(usual=None),
    "precision": lambda facet: facet._replace(usual=None, text=_precision),
}
CONDITIONS: tuple[Condition[Record], ...] = (
    Condition("batch", "batch", lambda record: str(record.workload.batch), "batch {}".format, counts=True),
    Condition("inputs", "inputs", _inputs),
    *(_ALWAYS.get(facet.key, lambda same: same)(_of_workload(facet)) for facet in SETTING_CONDITIONS),
)
STARTED: Condition[Record] = Condition("started_utc", "started (UTC)", lambda record: record.started_utc)
ENVIRONMENT: Condition[Record] = Condition("environment", "environment", lambda record: machine(record))


def conditions(record: Record) -> tuple[str, ...]:
    """Everything but the model: rows with the same may be divided by each other."""
    return tuple(facet.text(record) for facet in CONDITIONS)


def differing(records: Sequence[Record]) -> tuple[Condition[Record], ...]:
    """The facets in which these records differ; the time too, where one workload was run twice."""
    varied = tuple(facet for facet in CONDITIONS if len({facet.text(record) for record in records}) > 1)
    repeated = len({record.workload.key for record in records}) < len(records)
    return (*varied, STARTED) if repeated else varied


class EnvironmentGroup(NamedTuple):
    """Records of one environment."""

    caption: str
    records: tuple[Record, ...]


def environment_groups(records: Iterable[Record]) -> tuple[EnvironmentGroup, ...]:
    """The records by environment, in order of first appearance, each with its caption."""
    grouped: list[list[Record]] = []
    for record in records:
        home = next((group for group in grouped if _alike(group[0], record)), None)
        if home is None:
            grouped.append(home := [])
        home.append(record)
    return tuple(EnvironmentGroup(_caption(group, [g[0] for g in grouped]), tuple(group)) for group in grouped)


def measured(record: Record) -> bool:
    """Whether anything was measured, or was to be, so that the machine matters."""
    parts = (record.latency, record.memory, record.energy)
    return not all(isinstance(part, Missing) and part.missing != "failed" for part in parts)


def _alike(one: Record, other: Record) -> bool:
    if not measured(one) and not measured(other):
        return one.environment.torch == other.environment.torch
    return measured(one) == measured(other) and _relevant(one.environment) == _relevant(other.environment)


def _relevant(environment: Environment) -> Environment:
    return replace(environment, ci=None)  # the name of a job changes nothing that is measured


def _caption(group: Sequence[Record], representatives: Sequence[Record]) -> str:
    parts = [machine(group[0]), *_told_apart(group[0], representatives), *shared(group), _when(group)]
    return "; ".join(filter(None, parts)) + "."


def shared(records: Sequence[Record]) -> tuple[str, ...]:
    """What these records have in common, in words, and does not go without saying."""
    varied = differing(records)
    common = (facet for facet in CONDITIONS if facet not in varied and facet.text(records[0]) not in ("", facet.usual))
    return tuple(facet.said(records[0]) for facet in common)


def _when(group: Sequence[Record]) -> str:
    versions = ", ".join(sorted({record.tool.version for record in group}))
    if not measured(group[0]):
        return f"backbone-bench {versions}"
    days = sorted({record.started_utc[:10] for record in group})
    return f"{' to '.join(dict.fromkeys((days[0], days[-1])))}, backbone-bench {versions}"


def machine(record: Record) -> str:
    """Where a record was made, in one line."""
    if not measured(record):
        return f"Counted with torch {record.environment.torch}"
    return ", ".join(_machine(record.environment))


def _machine(environment: Environment) -> Iterator[str]:
    cores = f"{environment.affinity} of {environment.cores} cores"
    if environment.is_host:
        yield f"{environment.cpu} ({environment.cpu_capability}), {cores}"
    else:
        yield f"{environment.device_name} ({environment.device})"
        yield from _gpu(environment.gpu)
        yield f"host {environment.cpu}, {cores}"
    for name, version in (("CUDA", environment.cuda), ("cuDNN", environment.cudnn), ("torch", environment.torch)):
        if version and (not environment.is_host or name == "torch"):
            yield f"{name} {version}"
    yield environment.os


def _gpu(gpu: Gpu | Missing | None) -> Iterator[str]:
    if not isinstance(gpu, Gpu):
        return
    if not isinstance(gpu.driver, Missing):
        yield f"driver {gpu.driver}"
    if not isinstance(gpu.power_limit_w, Missing):
        yield f"limit {gpu.power_limit_w:.0f} W"


def _told_apart(record: Record, representatives: Sequence[Record]) -> list[str]:
    """What else differs between environments that look the same, so that no two captions are."""
    own = dict(leaves(_relevant(record.environment)))
    twins = [other for other in representatives if machine(other) == machine(record)]
    others = [dict(leaves(_relevant(other.environment))) for other in twins]
    return [f"{name} {text}" for name, text in own.items() if any(other.get(name) != text for other in others)]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and texts of everything inside."""
    if isinstance(value, Missing):
        yield path, value.missing
    elif is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from leaves(value[name], f"{path}.{name}")
    else:
        yield path, str(value)
