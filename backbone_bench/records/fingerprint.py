"""Whether two records were made under conditions alike enough to compare what was measured.

Fields that must agree make unlike records incomparable; others only warn, since
cards of one model differ by 3 to 5 % among themselves. Counts need neither:
they are the same on every machine.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Literal, NamedTuple

from backbone_bench.records import Environment, Gpu, Missing, Record, Workload

FieldValue = str | int | float | bool | None


class FieldDifference(NamedTuple):
    """A field in which two records differ; `must`: they cannot be compared for it."""

    field: str
    old: FieldValue
    new: FieldValue
    must: bool

    def __str__(self) -> str:
        return f"{self.field}: {_said(self.old)}, now {_said(self.new)}"


# Fields of the environment; those of the card after a dot.
_MUST = (
    "device_name", "torch", "cuda", "cudnn", "conv_fp32", "matmul_fp32", "cudnn_benchmark", "deterministic",
    "cpu", "cpu_capability", "affinity", "gpu.name", "gpu.multiprocessors", "gpu.memory_bytes", "gpu.mig",
    "gpu.power_limit_w", "gpu.locked_clock_hz", "gpu.driver",
)  # fmt: skip
_WARN = (
    "gpu.uuid", "gpu.vbios", "gpu.ecc", "gpu.persistence", "host", "python", "os", "kernel", "numpy", "triton",
    "cores", "memory_bytes", "governor", "container", "wsl", "variables",
)  # fmt: skip
_WORKLOAD = tuple(field.name for field in fields(Workload) if field.name != "seed")
_COUNTED = ("model", "source", "arguments", "inputs", "mode")  # what a count depends on


def fingerprint(workload: Workload, environment: Environment) -> Mapping[str, FieldValue]:
    """Every value that must agree, by name, as plain data."""
    values = {f"workload.{name}": _plain(getattr(workload, name)) for name in _WORKLOAD}
    return values | {name: _plain(_value(environment, name)) for name in _MUST}


def digest(workload: Workload, environment: Environment) -> str:
    """A short name of the fingerprint, the same in every process: what histories are filed under."""
    text = json.dumps(fingerprint(workload, environment), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(
    old: Record, new: Record, *, of: Literal["measured", "counted"] = "measured"
) -> tuple[FieldDifference, ...]:
    """In what two records differ that bears on comparing what was measured, or counted."""
    rows: list[tuple[str, object, object, bool]] = [
        (f"workload.{name}", getattr(old.workload, name), getattr(new.workload, name), True)
        for name in (_WORKLOAD if of == "measured" else _COUNTED)
    ]
    for name in (*_MUST, *_WARN) if of == "measured" else ():
        rows.append((name, _value(old.environment, name), _value(new.environment, name), name in _MUST))
    plain = [FieldDifference(name, _plain(before), _plain(after), must) for name, before, after, must in rows]
    return tuple(row for row in plain if row.old != row.new)


def comparable(found: tuple[FieldDifference, ...]) -> bool:
    """Whether differences leave two records comparable."""
    return not any(difference.must for difference in found)


def _value(environment: Environment, path: str) -> object:
    owner, _, name = path.rpartition(".")
    if not owner:
        return getattr(environment, name)
    if not isinstance(environment.gpu, Gpu):
        return environment.gpu
    value = getattr(environment.gpu, name)
    return _branch(value) if name == "driver" else value


def _branch(driver: object) -> object:
    """A driver's major and minor version: patches of a branch do not change speed on purpose."""
    match = re.match(r"\d+\.\d+", driver) if isinstance(driver, str) else None
    return match[0] if match else driver


def _plain(value: object) -> FieldValue:
    """A value as data. What is missing is equal to what is missing for the same reason, and to nothing else."""
    if isinstance(value, Missing):
        return f"missing: {value.missing}"
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, sort_keys=True)


def _said(value: FieldValue) -> str:
    return "nothing" if value is None else str(value)
