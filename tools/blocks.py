"""The generated parts of pages: help texts and tables, each as the program itself prints it."""

import os
import subprocess
import sys

from backbone_bench.records import ELSEWHERE, MEANINGS
from tools.measured import few

# Fixed, so that a block does not depend on who makes it.
ENVIRONMENT = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def make(name: str) -> str:
    """The block of that name: what the command prints, as text or as the Markdown that it is."""
    kind, _, words = name.partition(" ")
    match kind:
        case "help":
            return f"```text\n{_printed([*words.split(), '--help'])}```\n"
        case "table":
            # Without its caption, which names the build of torch that happens to be here: counts are the same by any.
            _, bar, table = _printed([*words.split(), "--format", "md"]).partition("|")
            return f"\n{bar}{table}\n"
        case "flags":
            rows = (f"| `{word}` | {meaning} |" for word, meaning in sorted({**ELSEWHERE, **MEANINGS}.items()))
            return "\n".join(("\n| flag | means |", "| --- | --- |", *rows, "\n"))
        case "measured":
            return f"\n{few(words.split())}\n"
        case _:
            raise ValueError(f"no generated block is called {name!r}")


def _printed(words: list[str]) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "backbone_bench", *words], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    lines = told.stdout.replace("python -m backbone_bench", "bench").splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)
