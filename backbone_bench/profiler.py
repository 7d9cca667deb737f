"""One workload in, one record out: the only place that knows all the measurers."""

import subprocess
import sys
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

import torch

import backbone_bench
from backbone_bench import cost
from backbone_bench.errors import UserError
from backbone_bench.measure import environment
from backbone_bench.records import Missing, ModelCost, Record, TensorSpec, Tool, Workload
from backbone_bench.zoo import sources, user
from backbone_bench.zoo.sources import Loaded, Request

Precision = Literal["fp32", "tf32", "fp16", "bf16", "amp"]
HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}

NOT_ASKED = Missing("not_asked", "was not asked for")


def count(request: Request, *, precision: Precision = "fp32", train: bool = False) -> Record:
    """Counts alone: no arithmetic, no weights, no device."""
    loaded = prepare(request, precision, train=train, on_meta=True)
    workload = Workload(
        model=request.model,
        source=loaded.source,
        arguments=request.arguments,
        inputs=loaded.inputs.describe(),
        batch=loaded.inputs.batch,
        mode="train" if train else "eval",
        precision=precision,
    )
    return Record(
        id=str(uuid.uuid4()),
        started_utc=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        tool=tool(),
        workload=workload,
        environment=environment.read("meta"),
        cost=count_loaded(loaded, request),
        latency=NOT_ASKED,
        memory=NOT_ASKED,
        energy=NOT_ASKED,
        watch=NOT_ASKED,
    )


def prepare(request: Request, precision: Precision, *, train: bool, on_meta: bool) -> Loaded:
    """The model in its mode and type, with its inputs; amp and tf32 leave both in float32."""
    loaded = sources.load(request, on_meta=on_meta)
    if train:
        loaded.model.train()
    half = HALVES.get(precision)
    return loaded if half is None else loaded.cast(half)


def count_loaded(loaded: Loaded, request: Request) -> ModelCost:
    """Count a model that is already built; a model that cannot take its inputs is told in words."""
    args, kwargs, batch = loaded.inputs
    if loaded.source == "zoo":
        return _count_zoo(loaded, request)
    called = f"{request.model} called with {', '.join(loaded.inputs.describe())}"
    return user.run(lambda: cost.count(loaded.model, args, kwargs, batch=batch), called)


def _count_zoo(loaded: Loaded, request: Request) -> ModelCost:
    args, kwargs, batch = loaded.inputs
    try:
        return cost.count(loaded.model, args, kwargs, batch=batch)
    except (RuntimeError, ValueError) as error:
        shapes = ", ".join(loaded.inputs.describe())
        raise UserError(f"{request.model} cannot take {shapes}: {_hint(loaded, request, error)}") from None


def _hint(loaded: Loaded, request: Request, error: Exception) -> str:
    """The smallest square image that works, where one of this shape could; else torch's own words."""
    image = loaded.inputs.args[0] if loaded.inputs.args else None
    if image is None or image.dim() != 4 or image.shape[1] != 3:
        return f"{str(error).splitlines()[0].rstrip('.')}."
    smallest = smallest_size(loaded)
    if smallest is None or min(image.shape[2:]) >= smallest:
        return f"{str(error).splitlines()[0].rstrip('.')}."
    return f"the smallest image that works is {smallest}x{smallest}."


def smallest_size(loaded: Loaded, largest: int = 1024) -> int | None:
    """The smallest square image that the model takes, found by bisection on counts; None up to `largest`."""

    def works(size: int) -> bool:
        image = TensorSpec((3, size, size))
        try:
            cost.count(loaded.model, [torch.empty((2, *image.shape), device="meta", dtype=_dtype(loaded))])
        except (RuntimeError, ValueError):
            return False
        return True

    too_small, enough = 0, largest
    if not works(enough):
        return None
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        too_small, enough = (too_small, middle) if works(middle) else (middle, enough)
    return enough


def _dtype(loaded: Loaded) -> torch.dtype:
    return next(loaded.model.parameters()).dtype


def tool() -> Tool:
    """This program, as it was called."""
    argv = (Path(sys.argv[0]).name, *sys.argv[1:])
    return Tool(backbone_bench.__version__, _commit(), argv)


@cache
def _commit() -> str | None:
    """The commit of the checkout this program runs from, with `+` where it has changes; None where it is installed."""
    folder = Path(backbone_bench.__file__).parent
    if not (folder.parent / ".git").exists():
        return None
    told = subprocess.run(
        ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return told.stdout.strip() or None
