"""Output of a gate for GitHub Actions: the job summary and annotations."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from backbone_bench.base.errors import UserError
from backbone_bench.gate.report import source
from backbone_bench.gate.report.sentences import headlines
from backbone_bench.gate.verdicts import VERDICTS, GateReport

SUMMARY = "GITHUB_STEP_SUMMARY"  # environment variable with the path of the job summary
LIMIT_BYTES = 1 << 20  # of a step's summary; GitHub rejects a longer one completely
_MOST = 10  # annotations of one kind that GitHub shows for a step
_CUT = "\n*Cut here: GitHub shows at most 1 MiB. The files that `-o` writes hold the whole report.*\n"


def add_summary(environ: Mapping[str, str], markdown: str) -> None:
    """Append the report to the job summary, if GitHub asks for one. Raises UserError if it cannot be written."""
    name = environ.get(SUMMARY)
    if not name:
        return
    path = Path(name)
    try:
        used_bytes = path.stat().st_size if path.exists() else 0
        with path.open("a", encoding="utf-8") as file:
            file.write(fit(markdown, LIMIT_BYTES - used_bytes - 1))
    except OSError as error:
        raise UserError(f"Cannot write {SUMMARY} {path}: {error.strerror}.") from None


def fit(text: str, limit_bytes: int) -> str:
    """Cut the text to as many whole lines as fit; failures stand at the beginning and are cut last."""
    if len(text.encode()) <= limit_bytes:
        return text
    left_bytes, kept = limit_bytes - len(_CUT.encode()), []
    for line in text.splitlines(keepends=True):
        left_bytes -= len(line.encode())
        if left_bytes < 0:
            break
        kept.append(line)
    return "".join(kept) + _CUT if kept else ""


def annotations(report: GateReport, environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """GitHub workflow commands, one per line: errors for failures, warnings for other verdicts worth reading."""
    kinds = dict.fromkeys(("error", "warning"), 0)
    for one in headlines(report):
        if not one.fails and not VERDICTS[one.verdict].warns:
            continue
        kind = "error" if one.fails else "warning"
        kinds[kind] += 1
        if kinds[kind] <= _MOST:
            title, message = _property(f"bench gate: {one.verdict.value}"), _data(f"{one.lead} {one.rest}".strip())
            yield f"::{kind} {_place(one.subject, environ)}title={title}::{message}"


def _place(subject: str, environ: Mapping[str, str]) -> str:
    """The properties with file and line of the model's factory; empty if it is not in the repository."""
    folder = Path.cwd()
    found = source.of_model(subject, folder, Path(environ.get("GITHUB_WORKSPACE") or folder))
    return "" if found is None else f"file={_property(found.path)},line={found.line},"


def is_github(environ: Mapping[str, str] = os.environ) -> bool:
    return environ.get("GITHUB_ACTIONS") == "true"


def _data(text: str) -> str:
    """Escape the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a workflow command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
