"""The conditions of records: those that all rows share go into the caption, those that vary become columns.

Records of different environments never share a table, because a best value and
a ratio mean nothing across environments.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

from backbone_bench.base.units import PLAIN
from backbone_bench.records import Environment, Gpu, Missing, Record, Setting, TensorSpec
from backbone_bench.records.environment import VISIBLE_DEVICES
from backbone_bench.records.setting import SETTING_CONDITIONS, Condition
from backbone_bench.report.tables.table import Column


def column_of(condition: Condition[Record]) -> Column[Record]:
    """A condition as a column of a table."""
    if condition.is_number:
        return Column(condition.key, condition.title, lambda record: int(condition.text(record)), PLAIN)
    return Column(condition.key, condition.title, condition.text)


def _inputs(record: Record) -> str:
    """The input shapes, `3x224x224`, without a leading batch and without the type float32."""
    return ", ".join(_input(spec, record.workload.batch) for spec in record.workload.specs)


def _input(spec: TensorSpec, batch: int) -> str:
    shape = spec.shape[1:] if spec.shape[:1] == (batch,) else spec.shape
    name = f"{spec.name}=" if spec.name else ""
    return name + ("x".join(map(str, shape)) or "scalar") + ("" if spec.dtype == "float32" else f":{spec.dtype}")


def _precision(record: Record) -> str:
    """The precision, with that of convolutions if it differs: many GPUs compute fp32 convolutions in TF32."""
    precision, conv = record.workload.precision, record.environment.conv_fp32
    return f"{precision} (convolutions {conv})" if precision == "fp32" and conv != "ieee" else precision


def _of_workload(condition: Condition[Setting]) -> Condition[Record]:
    def text(record: Record) -> str:
        return condition.text(record.workload)

    return Condition(condition.key, condition.title, text, condition.phrase, condition.usual, condition.is_number)


# Conditions of `SETTING_CONDITIONS` that differ here: a caption always states the mode, and the precision in full.
_CHANGED = {
    "mode": lambda condition: condition._replace(usual=None),
    "precision": lambda condition: condition._replace(usual=None, text=_precision),
}
INPUTS: Condition[Record] = Condition("inputs", "inputs", _inputs)
CONDITIONS: tuple[Condition[Record], ...] = (
    Condition("batch", "batch", lambda record: str(record.workload.batch), "batch {}".format, is_number=True),
    INPUTS,
    *(
        _CHANGED.get(condition.key, lambda same: same)(_of_workload(condition))
        for condition in sorted(SETTING_CONDITIONS, key=lambda one: one.key != "precision")  # which comes first
    ),
)
STARTED: Condition[Record] = Condition("started_utc", "started (UTC)", lambda record: record.started_utc)
ENVIRONMENT: Condition[Record] = Condition("environment", "environment", lambda record: machine(record))


def conditions(record: Record) -> tuple[str, ...]:
    """The conditions of a record: all but its model. Only records with equal conditions may be compared by a ratio."""
    return tuple(condition.text(record) for condition in CONDITIONS)


def differing(records: Sequence[Record]) -> tuple[Condition[Record], ...]:
    """The conditions in which these records differ, and the start time if a workload ran more than once."""
    varied = tuple(condition for condition in CONDITIONS if len({condition.text(record) for record in records}) > 1)
    repeated = len({record.workload.key for record in records}) < len(records)
    return (*varied, STARTED) if repeated else varied


class EnvironmentGroup(NamedTuple):
    """The records of one environment, with the caption of their table."""

    caption: str
    records: tuple[Record, ...]


def environment_groups(records: Iterable[Record]) -> tuple[EnvironmentGroup, ...]:
    """Group records by environment, in order of first appearance, each group with its caption."""
    grouped: list[list[Record]] = []
    for record in records:
        own = next((group for group in grouped if _same_environment(group[0], record)), None)
        if own is None:
            grouped.append(own := [])
        own.append(record)
    firsts = [group[0] for group in grouped]
    return tuple(EnvironmentGroup(_caption(group, firsts), tuple(group)) for group in grouped)


def measured(record: Record) -> bool:
    """Whether latency, memory or energy was measured, or failed to be, so that the machine matters."""
    parts = (record.latency, record.memory, record.energy)
    return not all(isinstance(part, Missing) and part.missing != "failed" for part in parts)


def _same_environment(a: Record, b: Record) -> bool:
    if not measured(a) and not measured(b):
        return a.environment.torch == b.environment.torch
    return measured(a) == measured(b) and _relevant(a) == _relevant(b)


def _relevant(record: Record) -> Environment:
    """The environment without what tells apart two machines that measure the same.

    The name of a CI job does not change a measurement; the machines of a fleet stand for their kind.
    """
    environment = replace(record.environment, ci=None)
    return environment if record.placement is None else _of_kind(environment)


_ANY = Missing("any", "any machine of this kind")


def _of_kind(environment: Environment) -> Environment:
    """The environment of any machine with the same kind of card and the same software."""
    gpu = environment.gpu
    return replace(
        environment,
        device=environment.device.partition(":")[0],
        host=None,
        kernel=None,
        container=None,
        memory_bytes=_ANY,
        governor=_ANY,
        variables={
            name: text for name, text in (environment.variables or {}).items() if not VISIBLE_DEVICES.fullmatch(name)
        },
        gpu=replace(gpu, uuid=_ANY, pci=_ANY, vbios=_ANY) if isinstance(gpu, Gpu) else gpu,
    )


def _caption(group: Sequence[Record], firsts: Sequence[Record]) -> str:
    parts = [machine(group[0]), *_distinguishing(group[0], firsts), _nodes(group), *shared(group), _when(group)]
    return "; ".join(filter(None, parts)) + "."


def _nodes(group: Sequence[Record]) -> str:
    """How many machines of a fleet the records are of, if several."""
    nodes = {record.placement.node for record in group if record.placement is not None}
    return f"{len(nodes)} machines of this kind" if len(nodes) > 1 else ""


def shared(records: Sequence[Record]) -> tuple[str, ...]:
    """The conditions that all these records share, in words, without those that have their usual value."""
    varied = differing(records)
    common = (
        condition
        for condition in CONDITIONS
        if condition not in varied and condition.text(records[0]) not in ("", condition.usual)
    )
    return tuple(condition.in_words(records[0]) for condition in common)


def _when(group: Sequence[Record]) -> str:
    versions = ", ".join(sorted({record.tool.version for record in group}))
    if not measured(group[0]):
        return f"backbone-bench {versions}"
    days = sorted({record.started_utc[:10] for record in group})
    return f"{' to '.join(dict.fromkeys((days[0], days[-1])))}, backbone-bench {versions}"


def machine(record: Record) -> str:
    """The machine and software of a record in one line; for a count alone, the version of torch."""
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


def _distinguishing(record: Record, firsts: Sequence[Record]) -> list[str]:
    """The fields that differ between environments with the same machine line, so that no two captions are equal."""
    own = dict(leaves(_relevant(record)))
    twins = [other for other in firsts if machine(other) == machine(record)]
    others = [dict(leaves(_relevant(other))) for other in twins]
    return [f"{name} {text}" for name, text in own.items() if any(other.get(name) != text for other in others)]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The dotted name and text of every field inside a value."""
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
