"""The settings that a job and a workload share, and their text for people.

To add a setting, add a field to `Setting` and to `jobs.settings.Settings`, a row to `SETTING_CONDITIONS` and an
option to `bench run`; `measure.call.step` applies it.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, fields
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import CacheState, MemoryFormat, Mode, Optimizer, Precision
from backbone_bench.records.missing import STRICT, Count

Scalar: TypeAlias = str | int | float | bool | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True, config=STRICT)
class Setting:
    """A model and the settings of its run, without its inputs and its batch."""

    model: str  # as typed: `vovnet39`, `timm:resnet50`, `path/to/file.py:factory`
    arguments: Mapping[str, Scalar]  # of the factory
    _: KW_ONLY
    mode: Mode = "eval"
    precision: Precision = "fp32"
    memory_format: MemoryFormat = "contiguous"
    optimizer: Optimizer | None = None  # of a training step
    compile: str | None = None
    cache: CacheState = "warm"
    threads: Count | None = None  # of the CPU; None in a job: torch's default; None in a workload: only counted
    seed: Count = 0

    @property
    def setting(self) -> dict[str, Any]:
        """The fields of `Setting` by name, as keyword arguments for another subclass."""
        return {field.name: getattr(self, field.name) for field in fields(Setting)}


class Condition(NamedTuple, Generic[T]):
    """One condition of a run: shown as a column if it varies between records, else as a phrase in the caption."""

    key: str
    title: str
    text: Callable[[T], str]
    phrase: Callable[[str], str] = str  # the value in words that are clear without the title
    usual: str | None = None  # the usual value, which is not mentioned
    is_number: bool = False  # the value is a whole number
    counted: bool = False  # it changes what a model costs on paper, and not only how long it takes

    def in_words(self, thing: T) -> str:
        """The condition in words that are clear without its title."""
        return self.phrase(self.text(thing))

    def unusual(self, thing: T) -> str:
        """The condition in words; empty if it has its usual value."""
        return "" if self.text(thing) in ("", self.usual) else self.in_words(thing)


def _threads(number: str) -> str:
    return f"{number} thread{'s' * (number != '1')}"


def _arguments(setting: Setting) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(setting.arguments.items()))


SETTING_CONDITIONS: tuple[Condition[Setting], ...] = (
    Condition("mode", "mode", lambda setting: setting.mode, usual="eval", counted=True),
    Condition("optimizer", "optimizer", lambda setting: setting.optimizer or "none", usual="none", counted=True),
    Condition("precision", "precision", lambda setting: setting.precision, usual="fp32", counted=True),
    Condition("arguments", "arguments", _arguments, usual="", counted=True),
    Condition("memory_format", "memory format", lambda setting: setting.memory_format, usual="contiguous"),
    Condition("compile", "compile", lambda setting: setting.compile or "no", "compile {}".format, usual="no"),
    Condition("cache", "cache", lambda setting: setting.cache, "{} cache".format, usual="warm"),
    Condition("threads", "threads", lambda setting: str(setting.threads or "any"), _threads, usual="any"),
    Condition("seed", "seed", lambda setting: str(setting.seed), "seed {}".format, usual="0", is_number=True),
)


def unusual(setting: Setting, *without: str) -> tuple[str, ...]:
    """The conditions of a setting that have an unusual value, in words, except those with the keys in `without`."""
    phrases = (condition.unusual(setting) for condition in SETTING_CONDITIONS if condition.key not in without)
    return tuple(filter(None, phrases))
