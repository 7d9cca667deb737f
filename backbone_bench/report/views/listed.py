"""Rows of a count that the catalogue answers: networks of the zoo as `bench list` names them, without torch.

They read like records in a table. A record itself, with its rows by operation,
is counted.
"""

import re
from dataclasses import MISSING, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from backbone_bench.base.program import __version__, now_utc
from backbone_bench.records import NOT_REQUESTED, ModelCost, Record, TensorSpec, Workload
from backbone_bench.zoo import catalogue


@dataclass(frozen=True)
class CountedWith:
    """What a caption says of the environment of a count."""

    torch: str
    conv_fp32: str = "ieee"
    ci: None = None


def row(model: str, torch: str) -> Record:
    """The row of a network of the zoo at its default input, batch 1, as this version of torch counts it."""
    entry = catalogue.find(model)
    listed = SimpleNamespace(
        **_defaults(Record),
        **dict.fromkeys(("latency", "memory", "energy", "watch"), NOT_REQUESTED),
        workload=Workload(model, {}, source="zoo", inputs=(str(TensorSpec((1, *entry.input))),), batch=1),
        started_utc=now_utc(),
        tool=SimpleNamespace(version=__version__),
        environment=CountedWith(torch),
        cost=SimpleNamespace(**_defaults(ModelCost), **entry.counts, path="meta", uncounted=()),
    )
    return cast("Record", listed)  # the columns of a count and the caption above them read nothing else of it


def _defaults(kind: type[Any]) -> dict[str, Any]:
    return {field.name: field.default for field in fields(kind) if field.default is not MISSING}


def installed_torch() -> str | None:
    """Version of the torch that would be imported, as it names itself; None if that cannot be told without it."""
    found = find_spec("torch")
    file = Path(found.origin or "").with_name("version.py") if found else None
    if file is None or not file.is_file():
        return None
    version = re.search(r"^__version__ = '([^']+)'$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return version[1] if version else None
