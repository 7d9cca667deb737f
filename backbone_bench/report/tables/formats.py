"""The one table of the formats that an answer can be written in.

A new format is a row here and a renderer of what an `Answer` has: parts for people, exact tables, or text that only
some commands have. Renderers are imported when they are used: `--help` reads this table too.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.report.tables.answer import Answer, Face


class Format(NamedTuple):
    """How an answer becomes text, and the suffix of a file that holds it."""

    suffix: str
    face: Face  # the part of an answer that it is made of
    render: Callable[[Answer], str]


def _table(answer: Answer) -> str:
    from backbone_bench.report.tables.terminal import terminal  # imports rich

    return terminal(answer.parts())


def _markdown(answer: Answer) -> str:
    from backbone_bench.report.tables.markdown import markdown

    return markdown(answer.parts())


def _csv(answer: Answer) -> str:
    from backbone_bench.report.tables.csv import delimited

    return delimited(answer.exact())


def _own(face: Face) -> Callable[[Answer], str]:
    """A face that is text already."""
    return lambda answer: getattr(answer, face)()


FORMATS: Mapping[str, Format] = {
    "table": Format(".txt", "parts", _table),
    "md": Format(".md", "parts", _markdown),
    "csv": Format(".csv", "exact", _csv),
    "json": Format(".json", "json", _own("json")),
    "jsonl": Format(".jsonl", "jsonl", _own("jsonl")),
    "html": Format(".html", "html", _own("html")),
    "junit": Format(".xml", "junit", _own("junit")),
}


def formats(faces: Iterable[Face]) -> tuple[str, ...]:
    """The formats that can be made of these faces, in the order of the table."""
    return tuple(name for name, form in FORMATS.items() if form.face in faces)


def write(answer: Answer, form: str) -> str:
    """The answer in a format; raise UserError where it has no such face."""
    chosen = FORMATS[form]
    if getattr(answer, chosen.face) is None:
        raise UserError(f"This cannot be written as {form}.")
    return chosen.render(answer)
