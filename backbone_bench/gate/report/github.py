"""What GitHub shows of a gate: the job's summary and annotations."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from backbone_bench.base.errors import UserError
from backbone_bench.gate.report.sentences import headlines
from backbone_bench.gate.verdicts import VERDICTS, GateReport

SUMMARY = "GITHUB_STEP_SUMMARY"  # names the file that becomes the job's summary
LIMIT_BYTES = 1 << 20  # of a step's summary; GitHub refuses the whole of a longer one
_MOST = 10  # annotations of one kind that GitHub shows of a step
_CUT = "\n*Cut here: GitHub shows one MiB. What follows is in the files that `-o` writes.*\n"


def add_summary(environ: Mapping[str, str], markdown: str) -> None:
    """Append the report to the job's summary, where there is one; raise UserError where it cannot be written."""
    named = environ.get(SUMMARY)
    if not named:
        return
    path = Path(named)
    try:
        there = path.stat().st_size if path.exists() else 0
        with path.open("a", encoding="utf-8") as file:
            file.write(fit(markdown, LIMIT_BYTES - there - 1))
    except OSError as error:
        raise UserError(f"Cannot write {SUMMARY} {path}: {error.strerror}.") from None


def fit(text: str, limit_bytes: int) -> str:
    """As many whole lines as there is room for; the end is cut, and what fails stands at the beginning."""
    if len(text.encode()) <= limit_bytes:
        return text
    room, kept = limit_bytes - len(_CUT.encode()), []
    for line in text.splitlines(keepends=True):
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
    return "".join(kept) + _CUT if kept else ""


def annotations(report: GateReport) -> Iterator[str]:
    """Workflow commands, a line each: errors for what fails, warnings for what a reader should know of all the same."""
    kinds = dict.fromkeys(("error", "warning"), 0)
    for one in headlines(report):
        if not one.fails and not VERDICTS[one.verdict].warns:
            continue
        kind = "error" if one.fails else "warning"
        kinds[kind] += 1
        if kinds[kind] <= _MOST:
            title, told = _property(f"bench gate: {one.verdict.value}"), _data(f"{one.lead} {one.rest}".strip())
            yield f"::{kind} title={title}::{told}"


def is_github(environ: Mapping[str, str] = os.environ) -> bool:
    return environ.get("GITHUB_ACTIONS") == "true"


def _data(text: str) -> str:
    """The message of a command; a percent sign and line ends are its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
