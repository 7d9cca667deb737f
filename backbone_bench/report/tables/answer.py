"""`Answer`: the result of a command in every form that an output format is made from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:  # the module loads pydantic, which would slow down `--help`
    from backbone_bench.report.tables.table import Table

# The fields of an `Answer`: what a format is made from.
Face = Literal["parts", "exact", "json", "jsonl", "html", "junit"]


class Heading(NamedTuple):
    """A heading; level 2 is the highest, as in a comment on GitHub."""

    text: str
    level: int = 2


class Paragraph(NamedTuple):
    """One or more sentences of plain text."""

    text: str


class ListItem(NamedTuple):
    """One entry of a list: the main statement, details, and a command to run, if any."""

    lead: str
    rest: str = ""
    command: str = ""


class ItemList(NamedTuple):
    """A list, numbered if its order matters."""

    items: tuple[ListItem, ...]
    numbered: bool = False


class Verbatim(NamedTuple):
    """Lines that every format writes unchanged."""

    text: str


AnswerPart: TypeAlias = "Table | Heading | Paragraph | ItemList | Verbatim"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command. Each field is a function, called only when a format needs it."""

    parts: Callable[[], Sequence[AnswerPart]]  # for people
    exact: Callable[[], Iterable["Table"]]  # for programs: full precision, base units, the same columns in each
    json: Callable[[], str] | None = None
    jsonl: Callable[[], str] | None = None
    html: Callable[[], str] | None = None
    junit: Callable[[], str] | None = None
    brief: Callable[[], Sequence[AnswerPart]] | None = None  # for a terminal, if its parts are fewer
