"""The Python API: one function per command, one keyword per option.

A model is a name, as for `bench run`, or an `nn.Module`. A module is
deep-copied and never modified. Everything runs in this process, and only the
keywords count: `bench.toml` and the environment are not read. An error that
the caller can correct is a `UserError`.
"""

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from backbone_bench.base.choices import CacheState, EnergyRequest, MemoryFormat, Optimizer, Precision
from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import silent
from backbone_bench.jobs import settings
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record, Scalar, store

if TYPE_CHECKING:  # torch waits until something is counted
    from torch import Tensor, device, nn

    from backbone_bench.claims.data.verdicts import CheckFinding
    from backbone_bench.predictor import Prediction
    from backbone_bench.zoo.sources import InMemoryModel

    Model: TypeAlias = str | nn.Module
    # The shape of one image without the batch, as text or as numbers; or tensors that include the batch: one tensor, a
    # tuple of positional arguments, or a dictionary of keyword arguments.
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
    optimizer: Optimizer | None = None,
    cross_check: bool = False,
) -> Record:
    """Count the cost of a model from shapes alone, without a device: `record.cost`.

    `inputs` is the shape of one image, `"3x224x224"` or `(3, 224, 224)`, or
    tensors that include the batch, nested as the model takes them; without
    it, the model's own example inputs are used. Where tensors do not show
    their batch, `batch` says it. `name` is the name of an
    `nn.Module` in the record; `arguments` go to the factory of a named model.
    Raises UserError.
    """
    from backbone_bench import profiler

    values = {
        "batch-size": batch,
        "precision": (precision,),
        "train": train,
        "optimizer": optimizer,
        "cross-check": cross_check,
    }
    request = _request("count()", model, inputs, name, arguments, values)
    return profiler.count(request.job, request.in_memory)


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
    optimizer: Optimizer | None = None,
    cache: CacheState = "warm",
    threads: int | None = None,
    seed: int = 0,
    latency: bool = True,
    energy: EnergyRequest = "auto",
    quick: bool = False,
    budget_s: float | None = None,
    cross_check: bool = False,
    layers: bool = False,
) -> Record:
    """Count a model and measure it on a device: latency, memory, energy; with `layers` also the time of each operation.

    `inputs`, `name` and `arguments` are those of `count`; the other keywords
    are the options of `bench run`. Each latency takes about 15 s unless
    `quick` or `budget_s` is given. Raises UserError, CouldNotMeasure where
    this machine cannot measure what was requested, and whatever the model
    itself raises.
    """
    from backbone_bench import profiler
    from backbone_bench.measure.devices import guest

    values = {
        "device": (str(device),),
        "batch-size": batch,
        "precision": (precision,),
        "memory-format": ("channels_last" if channels_last else "contiguous",),
        "compile": compile,
        "train": train,
        "optimizer": optimizer,
        "cache": cache,
        "threads": threads,
        "seed": seed,
        "latency": latency,
        "energy": energy,
        "quick": quick,
        "budget": budget_s,
        "cross-check": cross_check,
        "layers": layers,
    }
    request = _request("profile()", model, inputs, name, arguments, values)
    if not isinstance(model, str) and _is_compiled(model):
        raise UserError(f"{request.job.model} is compiled: pass the model itself and compile='default'.")
    with guest.as_found(request.job.device) as shared:
        record = profiler.profile(request.job, silent, lambda draft: None, request.in_memory)
    return replace(record, flags=(*record.flags, "memory_shared")) if shared else record


def predict(
    model: "Model",
    inputs: "Inputs" = None,
    on: str = "h200",
    *,
    name: str | None = None,
    arguments: Mapping[str, Scalar] | None = None,
    batch: int = 1,
    precision: Precision | None = None,
    channels_last: bool | None = None,
    compile: str | None = None,
    extrapolate: bool = False,
    records: Iterable[Record] = (),
) -> "Prediction":
    """Predict time and energy of a model on a device that is not here, from counts alone.

    `on` is a device with a shipped calibration or a file of `bench calibrate`;
    `inputs`, `name` and `arguments` are those of `count`. Times are of one
    call in seconds, the energy is of one image in joules, each with a 90 %
    band. `records` may hold what was measured of the same call. Raises
    UserError for what is outside of the calibrated range, unless
    `extrapolate` is given.
    """
    from backbone_bench import predictor, profiler
    from backbone_bench.predictor.shipped import AskedSetting

    layout: MemoryFormat | None = None if channels_last is None else "channels_last" if channels_last else "contiguous"
    chosen = predictor.choose(on, AskedSetting(precision, layout, compile))
    values = {"batch-size": batch, "precision": (chosen.calibration.conditions.counted_in,)}
    request = _request("predict()", model, inputs, name, arguments, values)
    counted = profiler.count(request.job, request.in_memory)
    return predictor.predict(counted, chosen, extrapolate=extrapolate, records=records)


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
    reduction_depth: Figure = None,
    tolerance: str | None = None,
    flops_convention: Literal[1, 2] = 1,
    name: str | None = None,
    arguments: Mapping[str, Scalar] | None = None,
) -> "Mapping[str, CheckFinding]":
    """Check claimed figures of a model; return one finding per figure, by its keyword.

    A figure such as `"4.1G"` holds within the precision in which it is
    written, or within a `tolerance` such as `"2%"`; `flops_convention` is the
    number of FLOPs that the claim counts for a multiply-add. `inputs` is the
    shape of one image. A verdict is `"holds"`, `"explained"` or `"fails"`.
    Raises UserError.
    """
    from backbone_bench.claims.data import claimed
    from backbone_bench.claims.data.subjects import Network
    from backbone_bench.claims.evidence import counter
    from backbone_bench.claims.judges import engine

    figures = {
        "flops": flops, "params": params, "access": access, "conv_flops": conv_flops, "conv_access": conv_access,
        "cio": cio, "traffic": traffic, "reduction_depth": reduction_depth,
    }  # fmt: skip
    given = {metric: str(figure) for metric, figure in figures.items() if figure is not None}
    if not given:
        raise UserError('No figure to check: give at least one, such as flops="4.1G" or params="25.6M".')
    request = _request("check()", model, inputs, name, arguments, {})
    network = Network(request.job.model, arguments=request.job.arguments or None)
    entries = [
        claimed.entry(network, metric, figure, tolerance=tolerance, per_multiply_add=flops_convention)
        for metric, figure in given.items()
    ]
    outcomes = engine.judge_all(
        entries, counter.gather_evidence(counter=counter.NetworkCounter(request.job.inputs, request.in_memory))
    )
    return {metric: outcome.judged[0].finding for metric, outcome in zip(given, outcomes, strict=True)}


def frame(records: Iterable[Record]) -> Any:
    """Turn records into a data frame: of pandas if it is installed, else of polars.

    One row a record; the columns are those of `bench compare --columns` and of CSV, in base units. A value that was
    not measured is null, and the column `missing` has the reasons. Parquet is a method of the frame: `to_parquet` of
    pandas, `write_parquet` of polars. Raises UserError if neither is installed.
    """
    from backbone_bench.report.views.frame import frame_columns

    library = next((name for name in ("pandas", "polars") if find_spec(name)), None)
    if library is None:
        raise UserError("frame() needs pandas or polars, and neither is installed: install one of them.")
    return import_module(library).DataFrame(frame_columns(tuple(records)))


def load(path: str | os.PathLike[str]) -> tuple[Record, ...]:
    """Read the records of a `.json` or `.jsonl` file. Warns of a last line that was cut short. Raises UserError."""
    return store.read([Path(path)], warn=lambda message: warnings.warn(message, stacklevel=2))


def save(records: Iterable[Record], path: str | os.PathLike[str]) -> None:
    """Write records to a `.json` or `.jsonl` file and replace its content. Raises UserError."""
    file = Path(path)
    if file.suffix not in (".json", ".jsonl"):
        raise UserError(f"{file} should end in .json or .jsonl: records are stored in these formats.")
    store.write(file, store.dumps(records) if file.suffix == ".json" else store.dump_lines(records))


# From keywords to a job.


class _Request(NamedTuple):
    job: Job
    in_memory: "InMemoryModel"


def _request(
    call: str,
    model: "Model",
    inputs: "Inputs",
    name: str | None,
    arguments: Mapping[str, Scalar] | None,
    values: Mapping[str, object],
) -> _Request:
    """The one job that a call requests, with its values validated as the settings of `bench run` are."""
    from torch import nn

    from backbone_bench.zoo.sources import InMemoryModel, called_with

    if not isinstance(model, (str, nn.Module)):
        raise UserError(f"{call}: the model must be a name or a torch.nn.Module, not {model!r}.")
    if not isinstance(model, str) and arguments:
        raise UserError(f"{call}: arguments are for a model given by name; this nn.Module is built already.")
    if isinstance(model, str) and name is not None:
        raise UserError(f"{call}: name is for an nn.Module; this model has a name already.")
    shapes = _shapes(inputs)
    given = {setting: value for setting, value in values.items() if value is not None}
    source = settings.SettingSource(call, given | ({"input": shapes} if shapes else {}))
    model_name = model if isinstance(model, str) else f"object:{name or type(model).__name__}"
    (job,) = settings.resolve([source]).settings.jobs([model_name], dict(arguments or {}))
    return _Request(
        job, InMemoryModel(None if isinstance(model, str) else model, called_with(inputs) if shapes is None else None)
    )


def _shapes(inputs: "Inputs") -> tuple[str, ...] | None:
    """Input shapes as texts of `--input`; None if the inputs are tensors."""
    if inputs is None:
        return ()
    if isinstance(inputs, str):
        return tuple(inputs.split())
    if isinstance(inputs, tuple) and all(isinstance(size, int) for size in inputs):
        return ("x".join(map(str, inputs)),)
    return None


def _is_compiled(model: "nn.Module") -> bool:
    return hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None) is not None
