"""Under what settings a model runs: the part that a job and a workload share, and how it reads in words.

A new setting is a field of `Setting`, a row of `SETTING_CONDITIONS`, a field of `jobs.settings.Settings` and an
option of `bench run`; what it does stands in `measure.call.step`.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, fields
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import CacheState, MemoryFormat, Mode, Precision
from backbone_bench.records.missing import STRICT, Count

Scalar: TypeAlias = str | int | float | bool | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True, config=STRICT)
class Setting:
    """A model and how it is run, but for its inputs and its batch."""

    model: str  # as typed: `vovnet39`, `timm:resnet50`, `path/to/file.py:factory`
    arguments: Mapping[str, Scalar]  # of the factory
    _: KW_ONLY
    mode: Mode = "eval"
    precision: Precision = "fp32"
    memory_format: MemoryFormat = "contiguous"
    compile: str | None = None
    cache: CacheState = "warm"
    threads: Count | None = None  # of the host; of a job None is as torch chooses, of a workload that it only counted
    seed: Count = 0

    @property
    def setting(self) -> dict[str, Any]:
        """The shared fields by name, as keyword arguments of another class with this base."""
        return {field.name: getattr(self, field.name) for field in fields(Setting)}


class Condition(NamedTuple, Generic[T]):
    """One condition under which something ran: a column where it varies, a word in a caption where it does not."""

    key: str
    title: str
    text: Callable[[T], str]
    phrase: Callable[[str], str] = str  # of the value, in words that stand alone
    usual: str | None = None  # the value that goes without saying
    counts: bool = False  # a whole number

    def said(self, thing: T) -> str:
        """In words that stand alone."""
        return self.phrase(self.text(thing))

    def unusual(self, thing: T) -> str:
        """The same; empty where it goes without saying."""
        return "" if self.text(thing) in ("", self.usual) else self.said(thing)


def _threads(number: str) -> str:
    return f"{number} thread{'s' * (number != '1')}"


def _arguments(setting: Setting) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(setting.arguments.items()))


SETTING_CONDITIONS: tuple[Condition[Setting], ...] = (
    Condition("precision", "precision", lambda setting: setting.precision, usual="fp32"),
    Condition("mode", "mode", lambda setting: setting.mode, usual="eval"),
    Condition("arguments", "arguments", _arguments, usual=""),
    Condition("memory_format", "memory format", lambda setting: setting.memory_format, usual="contiguous"),
    Condition("compile", "compile", lambda setting: setting.compile or "no", "compile {}".format, usual="no"),
    Condition("cache", "cache", lambda setting: setting.cache, "{} cache".format, usual="warm"),
    Condition("threads", "threads", lambda setting: str(setting.threads or "any"), _threads, usual="any"),
    Condition("seed", "seed", lambda setting: str(setting.seed), "seed {}".format, usual="0", counts=True),
)


def unusual(setting: Setting, *without: str) -> tuple[str, ...]:
    """What is worth saying of a setting, facet by facet, but for those named."""
    told = (facet.unusual(setting) for facet in SETTING_CONDITIONS if facet.key not in without)
    return tuple(filter(None, told))
