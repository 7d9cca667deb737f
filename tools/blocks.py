"""Generated blocks of pages: help texts and tables, as the program itself prints them."""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from backbone_bench.base.units import percent
from backbone_bench.gate.verdicts import VERDICTS
from backbone_bench.predictor import CalibrationRow, choose, fit
from backbone_bench.predictor.counts import TERMS
from backbone_bench.records import FLAGS
from backbone_bench.records.quantities import QUANTITIES
from tools import gpu_page, house

# Fixed, so that a block does not depend on the terminal in which it is generated.
ENVIRONMENT = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def make(name: str) -> str:
    """Generate the block of this name: the output of a command or a table of facts, as text or as Markdown."""
    kind, _, words = name.partition(" ")
    if kind not in _BLOCKS:
        raise ValueError(f"no generated block is called {name!r}")
    return _BLOCKS[kind](words)


def _help(words: str) -> str:
    return f"```text\n{_printed([*words.split(), '--help'])}```\n"


def _table_of(words: str) -> str:
    # Without the caption, which names the installed build of torch: counts do not depend on it.
    _, bar, table = _printed([*words.split(), "--format", "md"]).partition("|")
    return f"\n{bar}{table}\n"


def _on_gpu(words: str) -> str:
    return f"\n{gpu_page.few(words.split())}\n"


def _flags(_words: str) -> str:
    rows = ((f"`{word}`", row.grade, row.meaning) for word, row in FLAGS.items())
    return _table(("flag", "grade", "means"), rows)


def _rooms(_words: str) -> str:
    return _table(("floor", "room", "what it is for"), house.rows())


def _quantities(_words: str) -> str:
    rows = ((one.title, one.unit.name, f"`{key}`", one.meaning) for key, one in QUANTITIES.items())
    return _table(("quantity", "unit", "key", "what it is"), rows)


def _verdicts(_words: str) -> str:
    rows = ((f"**{verdict}**", row.meaning, str(row.exit_code)) for verdict, row in VERDICTS.items())
    return _table(("verdict", "what it means", "exit code"), rows)


def _prices(on: str) -> str:
    """The terms of a predicted time, and what one of each count costs on a device."""
    of = choose(on).calibration.constants
    rows = (
        (term.title, f"`{term.constant}`", f"{of.of(term.constant):.3g} s", f"{1 / of.of(term.constant):.3g} /s")
        for term in TERMS
    )
    return _table(("term", "constant", "one costs", "in a second"), rows)


def _bands(on: str) -> str:
    """The bands of a calibration."""
    rows = (
        (
            band.of, str(band.batch), f"{percent(1 + band.mean_error, signed=False)}",
            f"{percent(math.exp(-band.half_width))} to {percent(math.exp(band.half_width))}",
            f"{band.rows} rows, {band.families} families", percent(1 + (band.coverage or 0), signed=False),
        )
        for band in choose(on).calibration.bands
    )  # fmt: skip
    heading = ("of", "batch", "mean error", "90 % band", "made from", "rows inside a band made without their family")
    return _table(heading, rows)


def _rivals(on: str) -> str:
    """The mean error of counts alone, by families left out, at each batch of a calibration."""
    rows = choose(on).calibration.rows
    batches = choose(on).calibration.batches
    named = {
        "FLOPs": ("flops",), "traffic": ("traffic_bytes",), "operations": ("ops",),
        "reduction depth": ("reduction_depth",), "FLOPs and traffic": ("flops", "traffic_bytes"),
    }  # fmt: skip
    errors = (
        (name, *(percent(1 + _mean_error([row for row in rows if row.batch == batch], counts), signed=False)
                 for batch in batches))
        for name, counts in named.items()
    )  # fmt: skip
    return _table(("fitted count", *(f"mean error at batch {batch}" for batch in batches)), errors)


def _mean_error(rows: Sequence[CalibrationRow], counts: Sequence[str]) -> float:
    """Mean error of a line of these counts, each family predicted from the others."""
    errors = []
    for family in dict.fromkeys(row.family for row in rows):
        others = [row for row in rows if row.family != family]
        constants = fit.relative(
            [[getattr(row, count) for count in counts] for row in others], [row.time_s for row in others]
        )
        errors += [
            abs(sum(c * getattr(row, count) for c, count in zip(constants, counts, strict=True)) / row.time_s - 1)
            for row in rows
            if row.family == family
        ]
    return sum(errors) / len(errors)


_BLOCKS: Mapping[str, Callable[[str], str]] = {
    "help": _help,
    "table": _table_of,
    "on-gpu": _on_gpu,
    "flags": _flags,
    "rooms": _rooms,
    "quantities": _quantities,
    "verdicts": _verdicts,
    "prices": _prices,
    "bands": _bands,
    "rivals": _rivals,
}


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join((f"\n| {' | '.join(heading)} |", f"| {' | '.join('---' for _ in heading)} |", *lines, "\n"))


def _printed(words: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "backbone_bench", *words], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    lines = done.stdout.replace("python -m backbone_bench", "bench").splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)
