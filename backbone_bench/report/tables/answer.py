"""The one value that every command returns: what it found, for each kind of reader."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:  # it loads pydantic, which `--help` need not wait for
    from backbone_bench.report.tables.table import Table

Face = Literal["parts", "exact", "json", "jsonl", "html", "junit"]


class Heading(NamedTuple):
    """A line above what follows; level 2 is the highest, as in a comment on GitHub."""

    text: str
    level: int = 2


class Paragraph(NamedTuple):
    """A sentence or several, in plain text."""

    text: str


class ListItem(NamedTuple):
    """One entry of a list: what matters, the rest of it, and a command to type, if there is one."""

    lead: str
    rest: str = ""
    command: str = ""


class ItemList(NamedTuple):
    """A list, numbered where its order matters."""

    items: tuple[ListItem, ...]
    numbered: bool = False


class Verbatim(NamedTuple):
    """Lines that stand as they are in every format."""

    text: str


AnswerPart: TypeAlias = "Table | Heading | Paragraph | ItemList | Verbatim"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found, for each kind of reader; a face is computed when a format asks for it."""

    parts: Callable[[], Sequence[AnswerPart]]  # for people
    exact: Callable[[], Iterable["Table"]]  # for programs: base units at full precision, all of the same columns
    json: Callable[[], str] | None = None
    jsonl: Callable[[], str] | None = None
    html: Callable[[], str] | None = None
    junit: Callable[[], str] | None = None
