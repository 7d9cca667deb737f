"""Text that comes from a record may be anything: a model can be called `<script>` or `| a |`.

Each format has its own dangers; what none of them can carry, a control
character or a newline, becomes visible first.
"""

import re

from backbone_bench.base.errors import visible as visible

_MARKDOWN = re.compile(r"([\\`*\[\]<>|~&$@#!]|(?<![^\W_])_|_(?![^\W_]))")


def lines(text: str) -> str:
    """Any number of lines, each without control characters."""
    return "\n".join(map(visible, text.split("\n")))


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table's cell too."""
    return _MARKDOWN.sub(r"\\\1", visible(text))
