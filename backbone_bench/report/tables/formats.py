"""The table of output formats.

A new format is a row here and a renderer of one field of `Answer`: the parts for people, the exact tables, or a text
that only some commands have. Renderers are imported when they are used, because `--help` reads this table too.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from backbone_bench.base.errors import UserError
from backbone_bench.report.tables.answer import Answer, Face


class Format(NamedTuple):
    """One output format: its file suffix and its renderer."""

    suffix: str
    face: Face  # the field of `Answer` that it renders
    render: Callable[[Answer], str | bytes]


def _table(answer: Answer) -> str:
    from backbone_bench.report.tables.terminal import terminal  # imports rich

    return terminal((answer.brief or answer.parts)())


def _markdown(answer: Answer) -> str:
    from backbone_bench.report.tables.markdown import markdown

    return markdown(answer.parts())


def _latex(answer: Answer) -> str:
    from backbone_bench.report.tables.latex import latex

    return latex(answer.parts())


def _csv(answer: Answer) -> str:
    from backbone_bench.report.tables.csv import delimited

    return delimited(answer.exact())


def _text(face: Face) -> Callable[[Answer], str]:
    """The renderer of a field that is text already."""
    return lambda answer: getattr(answer, face)()


FORMATS: Mapping[str, Format] = {
    "table": Format(".txt", "parts", _table),
    "md": Format(".md", "parts", _markdown),
    "latex": Format(".tex", "parts", _latex),
    "csv": Format(".csv", "exact", _csv),
    "json": Format(".json", "json", _text("json")),
    "jsonl": Format(".jsonl", "jsonl", _text("jsonl")),
    "html": Format(".html", "html", _text("html")),
    "junit": Format(".xml", "junit", _text("junit")),
}


def formats(faces: Iterable[Face]) -> tuple[str, ...]:
    """The formats that render one of these fields of `Answer`, in the order of the table."""
    return tuple(name for name, form in FORMATS.items() if form.face in faces)


def written(answer: Answer, form: str) -> str | bytes:
    """Write an answer in a format, a binary one as bytes. Raises UserError if the answer lacks what it renders."""
    chosen = FORMATS[form]
    if getattr(answer, chosen.face) is None:
        possible = ", ".join(name for name, row in FORMATS.items() if getattr(answer, row.face) is not None)
        raise UserError(f"The format {form} is not available here: choose from {possible}.")
    return chosen.render(answer)


def write(answer: Answer, form: str) -> str:
    """Write an answer in a format that is text. Raises UserError as `written` does."""
    text = written(answer, form)
    assert isinstance(text, str)  # whoever wants text names a format that is text
    return text
