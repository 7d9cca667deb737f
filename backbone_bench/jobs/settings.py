"""What a run is asked to be, and where each word of it came from.

The command line comes first, then the environment (`BACKBONE_BENCH_BATCH_SIZE`),
then the nearest `bench.toml`, then `[tool.backbone-bench]` of the nearest
`pyproject.toml`, then the default. A new setting is a field here and an option
of `bench run`.
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

from backbone_bench.base.choices import CacheState, EnergyProtocol, EnergyWish, MemoryFormat, Precision, SourceName
from backbone_bench.base.errors import UserError, did_you_mean, visible
from backbone_bench.jobs.job import Job
from backbone_bench.records import Scalar, TensorSpec

PREFIX = "BACKBONE_BENCH_"
T = TypeVar("T")


def _split(value: object) -> object:
    """`1,8,32` and a single value are lists too; what is said twice counts once."""
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",")]
    if isinstance(value, (list, tuple)):
        return tuple(dict.fromkeys(value)) if all(isinstance(item, (str, int, float)) for item in value) else value
    return (value,)


Many = Annotated[tuple[T, ...], BeforeValidator(_split)]


def _no_flag(value: object) -> object:
    """`true` is no 1."""
    return "true" if value is True else "false" if value is False else value


Word = Annotated[str, Field(min_length=1)]
WholeNumber = Annotated[int, BeforeValidator(_no_flag)]
PositiveCount = Annotated[WholeNumber, Field(ge=1, le=1 << 31)]
ThreadCount = Annotated[WholeNumber, Field(ge=1, le=1 << 15)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_no_flag)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", validate_default=True))
class Settings:
    """Everything that can be set; a setting of several values makes a row of each."""

    model: Many[Word] = ()
    family: Many[Word] = ()
    all: bool = False  # the whole zoo
    arg: Many[Word] = ()  # name=value, for the model's factory
    device: Many[Word] = ("auto",)
    batch_size: Many[PositiveCount | Literal["auto"]] = (1,)
    input: Many[Word] = ()
    input_size: PositiveCount | None = None
    precision: Many[Precision] = ("fp32",)
    memory_format: Many[MemoryFormat] = ("contiguous",)
    threads: Many[ThreadCount | Literal["auto"]] = ("auto",)  # auto: as torch chooses
    compile: Word | None = None
    train: bool = False
    cache: CacheState = "warm"
    seed: Annotated[WholeNumber, Field(ge=0, lt=1 << 63)] = 0
    latency: bool = True
    energy: EnergyWish = "auto"
    energy_window: Seconds | None = None  # seconds of one trial
    energy_source: SourceName | Literal["auto"] = "auto"
    protocol: EnergyProtocol = "steady"
    allow_whole_card: bool = False
    lock_clocks: Annotated[float, Field(gt=0, le=1e6)] | Literal["base"] | None = None  # MHz
    cross_check: bool = False
    quick: bool = False
    budget: Seconds | None = None  # seconds for the latency of a row
    timeout: Seconds | None = None  # seconds that a row may take
    in_process: bool = False

    def jobs(self, models: Iterable[str], arguments: Mapping[str, Scalar]) -> list[Job]:
        """A row for each model under each setting, the batch sizes of one setting side by side."""
        if self.input and self.input_size is not None:
            raise UserError("--input and --input-size say the same thing twice: give one.")
        inputs = tuple(str(TensorSpec.parse(text)) for text in self.input)
        matrix = product(models, self.device, self.precision, self.memory_format, self.threads, self.batch_size)
        return [
            Job(
                model=model,
                arguments=arguments,
                inputs=inputs,
                batch=batch,
                device=device,
                mode="train" if self.train else "eval",
                precision=precision,
                memory_format=layout,
                threads=None if threads == "auto" else threads,
                budget_s=self.budget,
                energy_window_s=self.energy_window,
                locked_clock_hz=self.lock_clocks * 1e6 if isinstance(self.lock_clocks, float) else self.lock_clocks,
                **{name: getattr(self, name) for name in _AS_THEY_ARE},
            )
            for model, device, precision, layout, threads, batch in matrix
        ]


# Settings of one value that a job has under the same name and in the same unit.
_MANY = ("model", "device", "precision", "memory_format", "threads")
_AS_THEY_ARE = {one.name for one in fields(Job)} & {one.name for one in fields(Settings)} - set(_MANY)

_SETTINGS: TypeAdapter[Settings] = TypeAdapter(Settings)

NAMES: tuple[str, ...] = tuple(field.name.replace("_", "-") for field in fields(Settings))


class ResolvedSettings(NamedTuple):
    """The settings in force, and where each comes from."""

    settings: Settings
    origins: Mapping[str, str]


class SettingSource(NamedTuple):
    """Settings from one place, by name, as they stand there."""

    origin: str
    values: Mapping[str, Any]


# Settings that say one thing together: the first place that speaks of one of them speaks for all.
_TOGETHER = (frozenset(("model", "family", "all")), frozenset(("input", "input-size")))


def resolve(sources: Iterable[SettingSource]) -> ResolvedSettings:
    """What all sources together say: the first that speaks of a setting is heard. Raises UserError for a wrong one."""
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
            hint = did_you_mean(name, NAMES, f"There are {', '.join(NAMES)}.")
            raise UserError(f"{source.origin}: there is no setting {name!r}. {hint}")


def _validated(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    try:
        return _SETTINGS.validate_python({name.replace("-", "_"): value for name, value in values.items()})
    except ValidationError as error:
        first, *rest = error.errors(include_url=False)
        name = str(first["loc"][0]).replace("_", "-")
        same = [
            first,
            *(other for other in rest if other["loc"][:2] == first["loc"][:2]),
        ]  # of one value, each way to read it
        wanted = dict.fromkeys(map(_wanted, same))
        raise UserError(
            f"{origins[name]}: {name} is {_said(first['input'])} and should be {', or '.join(wanted)}."
        ) from None


_WANTED = {
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


def _said(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # TOML knows hexadecimal, which has no limit of digits
        return "a number of more digits than can be written"


def _wanted(error: Any) -> str:
    """What pydantic expected, in our words where we have any."""
    return _WANTED.get(error["type"], error["msg"]).format(**error.get("ctx", {}))


def here(environ: Mapping[str, str], folder: Path) -> Iterator[SettingSource]:
    """What is set outside the command line, the first place first."""
    ours = ((name.removeprefix(PREFIX), text) for name, text in environ.items() if name.startswith(PREFIX))
    yield SettingSource("environment", {name.lower().replace("_", "-"): text for name, text in ours})
    if found := _nearest("bench.toml", folder):
        yield SettingSource(str(found), _read(found))
    if found := _nearest("pyproject.toml", folder):
        yield SettingSource(f"{found}, [tool.backbone-bench]", _table(_read(found), "tool", "backbone-bench", of=found))


def _nearest(name: str, folder: Path) -> Path | None:
    """The file in this folder or above it, within the checkout where there is one."""
    for place in (folder, *folder.parents):
        if (place / name).is_file():
            return place / name
        if (place / ".git").exists():
            return None
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except ValueError as error:  # not TOML, or not text
        raise UserError(f"{path} is not TOML: {visible(str(error))}.") from None
    except RecursionError:
        raise UserError(f"{path} is not TOML: it is nested too deeply.") from None


def _table(document: dict[str, Any], *path: str, of: Path) -> dict[str, Any]:
    """The table at a path, empty where there is none."""
    for name in path:
        document = document.get(name, {})
        if not isinstance(document, dict):
            raise UserError(f"{of}: {name} should be a table.")
    return document
