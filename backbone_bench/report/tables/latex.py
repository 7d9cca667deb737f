"""LaTeX for a paper: each table as booktabs sets it, as wide as a page, its notes below in small print.

The text is pure ASCII but for letters of other languages, so that any engine reads it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from backbone_bench.report.tables import escape, fit
from backbone_bench.report.tables.answer import AnswerPart, Heading, ItemList, Paragraph, Verbatim
from backbone_bench.report.tables.table import Cell, Column, Table, said_once, superscript

_PAGE = 80  # characters of small print in a line of a paper's page
_PREAMBLE = r"% Needs \usepackage{booktabs}."
_SUPERSCRIPTS = {superscript(number): rf"\textsuperscript{{{number}}}" for number in range(10)}
_CHARACTERS: Mapping[str, str] = {
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "Σ": r"$\Sigma$",
    "µ": r"$\mu$",
    "²": r"\textsuperscript{2}",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    **_SUPERSCRIPTS,
}


def latex(parts: Iterable[AnswerPart]) -> str:
    """Write the parts as LaTeX, a blank line between two."""
    fitted = [_fitted(part) for part in parts]
    texts = ["\n".join(_lines(part, below)) for part, below in said_once([part for part, _ in fitted])]
    blocks = [f"{left_out}{text}" for text, (_, left_out) in zip(texts, fitted, strict=True)]
    return "\n\n".join([_PREAMBLE, *blocks]) + "\n"


def escaped(text: str) -> str:
    """Escape a text so that LaTeX prints it unchanged.

    >>> escaped("vovnet27_slim ±5 %")
    'vovnet27\\\\_slim $\\\\pm$5 \\\\%'
    """
    return "".join(_CHARACTERS.get(character, character) for character in escape.visible(text))


def _lines(part: AnswerPart, below: Iterable[str]) -> Iterator[str]:
    match part:
        case Table():
            yield from _table(part, below)
        case Heading(text=text):
            yield rf"\paragraph{{{escaped(text)}}}"
        case Paragraph(text=text):
            yield escaped(text)
        case ItemList(items=items, numbered=numbered):
            kind = "enumerate" if numbered else "itemize"
            yield rf"\begin{{{kind}}}"
            yield from (rf"\item {escaped(' '.join(filter(None, item)))}" for item in items)
            yield rf"\end{{{kind}}}"
        case Verbatim(text=text):
            yield from (escaped(line) + r"\\" for line in text.splitlines() if line)


def _fitted(part: AnswerPart) -> tuple[AnswerPart, str]:
    """A brief table with the columns that a page has room for, and a comment that names the others."""
    if not isinstance(part, Table) or not part.brief:
        return part, ""
    shown, left_out = fit.fitting(part, _PAGE, cut=False)
    titles = escaped(", ".join(left_out))
    return shown, f"% Left out: {titles}. --wide shows all, --columns chooses.\n" if left_out else ""


def _table(table: Table, below: Iterable[str]) -> Iterator[str]:
    yield r"\begin{table}"
    yield r"\centering\footnotesize"
    caption = ". ".join(filter(None, (table.title, table.caption)))
    if caption:
        yield rf"\caption{{{escaped(caption)}}}"
    yield rf"\begin{{tabular}}{{{''.join('r' if column.unit else 'l' for column in table.columns)}}}"
    yield r"\toprule"
    yield _row(_heading(table, index) for index in range(len(table.columns)))
    yield r"\midrule"
    yield from (_row(map(_cell, table.columns, row)) for row in table.rows)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    notes = [escaped(line) for line in below]
    if notes:
        yield r"\par\smallskip\footnotesize\raggedright"
        yield " \\par\n".join(notes)
    yield r"\end{table}"


def _heading(table: Table, index: int) -> str:
    """The heading of a column, in as many lines as keep it as narrow as what is below it."""
    column = table.columns[index]
    lines = fit.heading(column, fit.uncut(table, index)).splitlines()
    if len(lines) < 2:
        return escaped(column.heading)
    stack = r"\\".join(map(escaped, lines))
    return rf"\shortstack[{'r' if column.unit else 'l'}]{{{stack}}}"


def _row(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _cell(column: Column[object], cell: Cell) -> str:
    text = escaped(cell.shown)
    if column.unit and not cell.note:
        text = re.sub(r"^-", "$-$", text)
    return rf"\textbf{{{text}}}" if cell.best else text
