"""Fingerprint: the conditions that must agree before the measurements of two records may be compared.

A difference in such a field makes the records incomparable; other fields only
warn, since GPUs of one model differ by 3 to 5 % among themselves. Counts need
neither: they are the same on every machine.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import NamedTuple

from backbone_bench.records import Environment, Gpu, Missing, Record, Workload

FieldValue = str | int | float | bool | None


class FieldDifference(NamedTuple):
    """A field in which two records differ; `must`: the difference makes them incomparable."""

    field: str
    old: FieldValue
    new: FieldValue
    must: bool

    def __str__(self) -> str:
        return f"{self.field}: {_text(self.old)}, now {_text(self.new)}"


# Fields of the environment, and of its GPU (`gpu.`).
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


def fingerprint(workload: Workload, environment: Environment) -> Mapping[str, FieldValue]:
    """The values that must agree, by name, as plain data."""
    values = {f"workload.{name}": _plain(getattr(workload, name)) for name in _WORKLOAD}
    return values | {name: _plain(_value(environment, name)) for name in _MUST}


def digest(workload: Workload, environment: Environment) -> str:
    """Short hash of the fingerprint, the same in every process; a history has one for each of its machines."""
    text = json.dumps(fingerprint(workload, environment), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Record, new: Record) -> tuple[FieldDifference, ...]:
    """The fields in which two records differ, of those that decide whether their measurements may be compared."""
    rows: list[tuple[str, object, object, bool]] = [
        (f"workload.{name}", getattr(old.workload, name), getattr(new.workload, name), True) for name in _WORKLOAD
    ]
    for name in (*_MUST, *_WARN):
        rows.append((name, _value(old.environment, name), _value(new.environment, name), name in _MUST))
    plain = [FieldDifference(name, _plain(before), _plain(after), must) for name, before, after, must in rows]
    return tuple(row for row in plain if row.old != row.new)


def comparable(found: tuple[FieldDifference, ...]) -> bool:
    """Whether two records with these differences are comparable."""
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
    """Major and minor version of a driver: patch releases of a branch are not meant to change speed."""
    match = re.match(r"\d+\.\d+", driver) if isinstance(driver, str) else None
    return match[0] if match else driver


def _plain(value: object) -> FieldValue:
    """A value as plain data. A missing value equals only a value that is missing for the same reason."""
    if isinstance(value, Missing):
        return f"missing: {value.missing}"
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, sort_keys=True)


def _text(value: FieldValue) -> str:
    return "none" if value is None else str(value)
