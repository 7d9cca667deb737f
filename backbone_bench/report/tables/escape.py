"""Escaping of text from records, which may hold anything: a model can be called `<script>` or `| a |`.

Each format has its own escaping. Control characters and newlines, which no
format can hold, are made visible first.
"""

import re

from backbone_bench.base.errors import visible as visible

# What Markdown reads as markup, some of it only in some places: `a@b`, `1 < 2` and `!` are text.
_MARKDOWN = re.compile(
    r"([\\`*\[\]|~$]|<(?=[\w/!?])|^>|&(?=#|\w+;)|(?<!\w)@(?=\w)|#(?=\d)|^#|(?<![^\W_])_|_(?![^\W_]))"
)


def lines(text: str) -> str:
    """Make the control characters of a text visible, line by line; newlines stay."""
    return "\n".join(map(visible, text.split("\n")))


def markdown(text: str) -> str:
    """Escape a text so that Markdown shows it unchanged, also in a table cell."""
    return _MARKDOWN.sub(r"\\\1", visible(text))
