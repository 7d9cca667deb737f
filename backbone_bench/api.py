"""What the command line does, from Python: a call for a command, a keyword for an option.

A model is a name, as for `bench run`, or an `nn.Module` that the program has;
of this a copy is worked on, so that it stays as it is. Everything happens in
this process, and only the keywords count: no `bench.toml`, no environment.
What the caller can put right is raised as `UserError`.
"""

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from backbone_bench.base.choices import CacheState, EnergyWish, Precision
from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import silent
from backbone_bench.jobs import settings
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record, Scalar, store

if TYPE_CHECKING:  # torch waits until something is counted
    from torch import Tensor, device, nn

    from backbone_bench.claims.data.verdicts import CheckFinding
    from backbone_bench.zoo.sources import InMemoryModel

    Model: TypeAlias = str | nn.Module
    # The shape of one image, as text or as numbers, the batch left out; or tensors, with their batch: one, a tuple of
    # what the model is called with, or a dictionary of keywords.
    Inputs: TypeAlias = str | tuple[Any, ...] | Tensor | dict[str, Any] | None

Figure: TypeAlias = str | int | None


def count(
    model: "Model",
    inputs: "Inputs" = None,
    *,
    name: str | None = None,
    arguments: Mapping[str, Scalar] | None = None,
    batch: int = 1,
    precision: Precision = "fp32",
    train: bool = False,
    cross_check: bool = False,
) -> Record:
    """What a model costs on paper: `record.cost`.

    `inputs` is the shape of one image, `"3x224x224"` or `(3, 224, 224)`, or
    tensors with their batch, nested as the model takes them; without them the
    model's own are taken. `name` is what the record calls an `nn.Module`,
    `arguments` go to the factory that builds a named model.
    """
    from backbone_bench import profiler

    words = {"batch-size": batch, "precision": (precision,), "train": train, "cross-check": cross_check}
    asked = _asked("count()", model, inputs, name, arguments, words)
    return profiler.count(asked.job, asked.held)


def profile(
    model: "Model",
    inputs: "Inputs" = None,
    device: "str | device" = "cpu",
    *,
    name: str | None = None,
    arguments: Mapping[str, Scalar] | None = None,
    batch: int | Literal["auto"] = 1,
    precision: Precision = "fp32",
    channels_last: bool = False,
    compile: str | None = None,
    train: bool = False,
    cache: CacheState = "warm",
    threads: int | None = None,
    seed: int = 0,
    latency: bool = True,
    energy: EnergyWish = "auto",
    quick: bool = False,
    budget_s: float | None = None,
    cross_check: bool = False,
) -> Record:
    """Count a model and measure it on a device: latency, memory, energy.

    `inputs`, `name` and `arguments` are those of `count`; the other keywords
    are the options of `bench run`. Takes some 15 s a latency unless `quick` or
    `budget_s` says otherwise. Raises UserError, CouldNotMeasure for what was
    asked for and cannot be had here, and what the model itself raises.
    """
    from backbone_bench import profiler
    from backbone_bench.measure.devices import guest

    words = {
        "device": (str(device),),
        "batch-size": batch,
        "precision": (precision,),
        "memory-format": ("channels_last" if channels_last else "contiguous",),
        "compile": compile,
        "train": train,
        "cache": cache,
        "threads": threads,
        "seed": seed,
        "latency": latency,
        "energy": energy,
        "quick": quick,
        "budget": budget_s,
        "cross-check": cross_check,
    }
    asked = _asked("profile()", model, inputs, name, arguments, words)
    if not isinstance(model, str) and _compiled(model):
        raise UserError(f"{asked.job.model} is compiled: hand over the model itself, and say compile='default'.")
    with guest.as_found(asked.job.device) as shared:
        record = profiler.profile(asked.job, silent, lambda draft: None, asked.held)
    return replace(record, flags=(*record.flags, "memory_shared")) if shared else record


def check(
    model: "Model",
    inputs: str | tuple[int, ...] | None = None,
    *,
    flops: Figure = None,
    params: Figure = None,
    access: Figure = None,
    conv_flops: Figure = None,
    conv_access: Figure = None,
    cio: Figure = None,
    traffic: Figure = None,
    tolerance: str | None = None,
    flops_convention: Literal[1, 2] = 1,
    name: str | None = None,
    arguments: Mapping[str, Scalar] | None = None,
) -> "Mapping[str, CheckFinding]":
    """Check the figures that somebody claims for a model: what each of them comes to, by its name.

    A figure as `"4.1G"` holds within the precision that it is written with, or
    within a `tolerance` as `"2%"`; `flops_convention` is what the claim counts
    for a multiply-add. `inputs` is the shape of one image. A verdict is one of
    `"holds"`, `"explained"` and `"fails"`. Raises UserError.
    """
    from backbone_bench.claims.data import claimed
    from backbone_bench.claims.data.subjects import Network
    from backbone_bench.claims.evidence import counter
    from backbone_bench.claims.judges import engine

    figures = {
        "flops": flops, "params": params, "access": access, "conv_flops": conv_flops, "conv_access": conv_access,
        "cio": cio, "traffic": traffic,
    }  # fmt: skip
    given = {metric: str(figure) for metric, figure in figures.items() if figure is not None}
    if not given:
        raise UserError('Say what is claimed: flops="4.1G", params="25.6M", access=…')
    asked = _asked("check()", model, inputs, name, arguments, {})
    network = Network(asked.job.model, arguments=asked.job.arguments or None)
    entries = [
        claimed.entry(network, metric, figure, tolerance=tolerance, per_multiply_add=flops_convention)
        for metric, figure in given.items()
    ]
    outcomes = engine.judge_all(
        entries, counter.gather_evidence(counter=counter.NetworkCounter(asked.job.inputs, asked.held))
    )
    return {metric: outcome.judged[0].finding for metric, outcome in zip(given, outcomes, strict=True)}


def load(path: str | os.PathLike[str]) -> tuple[Record, ...]:
    """The records of a file, `.json` or `.jsonl`. Warns of a last line that was cut short; raises UserError."""
    return store.read([Path(path)], warn=lambda message: warnings.warn(message, stacklevel=2))


def save(records: Iterable[Record], path: str | os.PathLike[str]) -> None:
    """Write records to a file, `.json` or `.jsonl`, in place of what it held. Raises UserError."""
    file = Path(path)
    if file.suffix not in (".json", ".jsonl"):
        raise UserError(f"{file} should end in .json or .jsonl: records are kept in these.")
    store.write(file, store.dumps(records) if file.suffix == ".json" else store.dump_lines(records))


# From arguments to a job.


class _Asked(NamedTuple):
    job: Job
    held: "InMemoryModel"


def _asked(
    call: str,
    model: "Model",
    inputs: "Inputs",
    name: str | None,
    arguments: Mapping[str, Scalar] | None,
    words: Mapping[str, object],
) -> _Asked:
    """What a call asks for, read as the settings of `bench run` are: those of several values have one here."""
    from torch import nn

    from backbone_bench.zoo.sources import InMemoryModel, called_with

    if not isinstance(model, (str, nn.Module)):
        raise UserError(f"{call}: a model is a name or a torch.nn.Module, and this is {model!r}.")
    if not isinstance(model, str) and arguments:
        raise UserError(f"{call}: arguments build a model that is named; this one is built.")
    if isinstance(model, str) and name is not None:
        raise UserError(f"{call}: name is what to call an nn.Module; this model has one.")
    shapes = _shapes(inputs)
    if shapes is None and words.get("batch-size", 1) != 1:
        raise UserError(f"{call}: inputs that are tensors have their batch: leave batch out, or give the shape of one.")
    given = {setting: value for setting, value in words.items() if value is not None}
    source = settings.SettingSource(call, given | ({"input": shapes} if shapes else {}))
    called = model if isinstance(model, str) else f"object:{name or type(model).__name__}"
    (job,) = settings.resolve([source]).settings.jobs([called], dict(arguments or {}))
    return _Asked(
        job, InMemoryModel(None if isinstance(model, str) else model, called_with(inputs) if shapes is None else None)
    )


def _shapes(inputs: "Inputs") -> tuple[str, ...] | None:
    """Inputs that are shapes, as the command line has them; None where they are tensors."""
    if inputs is None:
        return ()
    if isinstance(inputs, str):
        return tuple(inputs.split())
    if isinstance(inputs, tuple) and all(isinstance(size, int) for size in inputs):
        return ("x".join(map(str, inputs)),)
    return None


def _compiled(model: "nn.Module") -> bool:
    return hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None) is not None
