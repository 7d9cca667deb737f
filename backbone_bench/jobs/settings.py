"""The settings of a run, and the origin of each value.

The command line comes first, then the environment (`BACKBONE_BENCH_BATCH_SIZE`),
then the nearest `bench.toml`, then `[tool.backbone-bench]` of the nearest
`pyproject.toml`, then the default. To add a setting, add a field here and an
option to `bench run`.
"""

import reprlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import (
    CacheState,
    EnergyOf,
    EnergyProtocol,
    EnergyRequest,
    MemoryFormat,
    Optimizer,
    Precision,
    SourceRequest,
)
from backbone_bench.base.errors import UserError, did_you_mean, visible
from backbone_bench.jobs.job import Job, mode_of
from backbone_bench.records import Scalar
from backbone_bench.records.workload import input_specs

PREFIX = "BACKBONE_BENCH_"
GATE = "gate"  # the table with the tolerances of `bench gate`: it is no setting of a run
T = TypeVar("T")


def _split(value: object) -> object:
    """Turn `1,8,32` or a single value into a tuple; repeated values count once."""
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",")]
    if isinstance(value, (list, tuple)):
        return tuple(dict.fromkeys(value)) if all(isinstance(item, (str, int, float)) for item in value) else value
    return (value,)


Many = Annotated[tuple[T, ...], BeforeValidator(_split)]


def _bool_as_text(value: object) -> object:
    """Turn a boolean into text, since Python takes True for the number 1."""
    return "true" if value is True else "false" if value is False else value


Word = Annotated[str, Field(min_length=1)]
WholeNumber = Annotated[int, BeforeValidator(_bool_as_text)]
PositiveCount = Annotated[WholeNumber, Field(ge=1, le=1 << 31)]
ThreadCount = Annotated[WholeNumber, Field(ge=1, le=1 << 15)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_bool_as_text)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", validate_default=True))
class Settings:
    """All settings of a run; a setting with several values makes one row for each value."""

    model: Many[Word] = ()
    family: Many[Word] = ()
    all: bool = False  # the whole zoo
    arg: Many[Word] = ()  # name=value, for the model's factory
    device: Many[Word] = ("auto",)
    batch_size: Many[PositiveCount | Literal["auto"]] = (1,)
    input: Many[Word] = ()
    input_size: Many[PositiveCount] = ()
    precision: Many[Precision] = ("fp32",)
    memory_format: Many[MemoryFormat] = ("contiguous",)
    threads: Many[ThreadCount | Literal["auto"]] = ("auto",)  # auto: torch's default
    compile: Word | None = None
    train: bool = False
    optimizer: Optimizer | None = None
    cache: CacheState = "warm"
    seed: Annotated[WholeNumber, Field(ge=0, lt=1 << 63)] = 0
    latency: bool = True
    energy: EnergyRequest = "auto"
    energy_of: EnergyOf = "graph"  # which runs it is of
    energy_window: Seconds | None = None  # duration of one trial
    energy_source: SourceRequest = "auto"
    protocol: EnergyProtocol = "steady"
    allow_whole_card: bool = False
    lock_clocks: Annotated[float, Field(gt=0, le=1e6)] | Literal["base"] | None = None  # MHz
    cross_check: bool = False
    layers: bool = False
    trace: Word | None = None
    quick: bool = False
    budget: Seconds | None = None  # time limit for the latency of a row
    wait_for_cool: Seconds | None = None  # the longest that samples of a card that is held back are taken again
    timeout: Seconds | None = None  # time limit for a whole row
    in_process: bool = False

    def jobs(self, models: Iterable[str], arguments: Mapping[str, Scalar]) -> list[Job]:
        """One job for each model and each combination of settings; the batch sizes of a combination are adjacent."""
        sizes: tuple[int | None, ...] = self.input_size or (None,)
        inputs, mode = input_specs(self.input, sizes[0]), mode_of(train=self.train, optimizer=self.optimizer)
        matrix = product(models, self.device, self.precision, self.memory_format, self.threads, sizes, self.batch_size)
        return [
            Job(
                model=model,
                arguments=arguments,
                inputs=inputs,
                input_size=size,
                batch=batch,
                device=device,
                mode=mode,
                precision=precision,
                memory_format=layout,
                threads=None if threads == "auto" else threads,
                budget_s=self.budget,
                wait_for_cool_s=self.wait_for_cool,
                energy_window_s=self.energy_window,
                locked_clock_hz=self.lock_clocks * 1e6 if isinstance(self.lock_clocks, float) else self.lock_clocks,
                **{name: getattr(self, name) for name in _SAME_IN_JOB},
            )
            for model, device, precision, layout, threads, size, batch in matrix
        ]


# Settings with a single value that a job has under the same name and in the same unit.
_WITH_MANY_VALUES = {"model", "device", "precision", "memory_format", "threads", "input_size"}
_SAME_IN_JOB = {field.name for field in fields(Job)} & {field.name for field in fields(Settings)} - _WITH_MANY_VALUES

_SETTINGS: TypeAdapter[Settings] = TypeAdapter(Settings)

NAMES: tuple[str, ...] = tuple(field.name.replace("_", "-") for field in fields(Settings))


class ResolvedSettings(NamedTuple):
    """The effective settings, and the origin of each."""

    settings: Settings
    origins: Mapping[str, str]


class SettingSource(NamedTuple):
    """The settings of one origin by name, as written there and not yet validated."""

    origin: str
    values: Mapping[str, Any]


# Settings that set one thing together: the first source that sets one of them decides about all of them.
_TOGETHER = (frozenset(("model", "family", "all")), frozenset(("input", "input-size")))


def resolve(sources: Iterable[SettingSource]) -> ResolvedSettings:
    """Merge sources: the first one that has a setting sets it. Raises UserError for a wrong name or value."""
    values: dict[str, Any] = {}
    origins = dict.fromkeys(NAMES, "default")
    for source in reversed(list(sources)):
        _check_names(source)
        for name in (name for group in _TOGETHER if group & source.values.keys() for name in group):
            values.pop(name, None)
            origins[name] = "default"
        values |= source.values
        origins |= dict.fromkeys(source.values, source.origin)
    return ResolvedSettings(_validated(values, origins), origins)


def _check_names(source: SettingSource) -> None:
    for name in source.values:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES, f"The settings are {', '.join(NAMES)}.")
            raise UserError(f"{source.origin}: there is no setting {name!r}. {hint}")


def _validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    try:
        return _SETTINGS.validate_python({name.replace("-", "_"): value for name, value in values.items()})
    except ValidationError as error:
        first, *rest = error.errors(include_url=False)
        name = str(first["loc"][0]).replace("_", "-")
        # A value of a union type has one error for each member of the union.
        same = [first, *(later for later in rest if later["loc"][:2] == first["loc"][:2])]
        expected = dict.fromkeys(map(_expected, same))
        raise UserError(
            f"{origins[name]}: {name} is {_text(first['input'])} and should be {', or '.join(expected)}."
        ) from None


_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "string_too_short": "some text",
    "string_type": "text",
}


def _text(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python limits the digits of a decimal number; hexadecimal numbers in TOML can be longer
        return "a number with too many digits to print"


def _expected(error: Any) -> str:
    """The value that pydantic expected, in plain words from `_EXPECTED` if it has any."""
    return _EXPECTED.get(error["type"], error["msg"]).format(**error.get("ctx", {}))


def here(environ: Mapping[str, str], folder: Path) -> Iterator[SettingSource]:
    """The sources outside the command line, in order of precedence."""
    variables = ((name.removeprefix(PREFIX), text) for name, text in environ.items() if name.startswith(PREFIX))
    yield SettingSource("environment", {name.lower().replace("_", "-"): text for name, text in variables})
    for origin, values in files(folder):
        yield SettingSource(origin, {name: value for name, value in values.items() if name != GATE})


def files(folder: Path) -> Iterator[SettingSource]:
    """The tables of the nearest `bench.toml` and `pyproject.toml`, whole, in order of precedence."""
    if found := _nearest("bench.toml", folder):
        yield SettingSource(str(found), _read(found))
    if found := _nearest("pyproject.toml", folder):
        yield SettingSource(f"{found}, [tool.backbone-bench]", _table(_read(found), "tool", "backbone-bench", of=found))


def _nearest(name: str, folder: Path) -> Path | None:
    """The nearest file of this name in the folder or above it, but not above the root of a git checkout."""
    for place in (folder, *folder.parents):
        if (place / name).is_file():
            return place / name
        if (place / ".git").exists():
            return None
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors write a byte-order mark
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except ValueError as error:  # not TOML, or not text
        raise UserError(f"{path} is not TOML: {visible(str(error))}.") from None
    except RecursionError:
        raise UserError(f"{path} is not TOML: it is nested too deeply.") from None


def _table(document: dict[str, Any], *path: str, of: Path) -> dict[str, Any]:
    """The table at a path; empty if absent. Raises UserError if it is not a table."""
    for name in path:
        document = document.get(name, {})
        if not isinstance(document, dict):
            raise UserError(f"{of}: {name} must be a TOML table.")
    return document
