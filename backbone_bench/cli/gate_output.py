"""Where a gate's report goes: stdout, files, GitHub, trackers, the baseline; all of it before the program ends."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from backbone_bench.base.choices import Tracker
from backbone_bench.base.errors import UserError, did_you_mean, visible
from backbone_bench.base.program import __version__, now_utc
from backbone_bench.cli import output
from backbone_bench.cli.options import GATE
from backbone_bench.report.tables.formats import write

if TYPE_CHECKING:  # they load pydantic, which `--help` need not wait for
    from backbone_bench.gate.comparisons import Compared
    from backbone_bench.gate.verdicts import GateReport, GateVerdict
    from backbone_bench.records import Record


class Destinations(NamedTuple):
    """Files to write, in which form."""

    reports: Sequence[Path]
    exports: Sequence[tuple[Path, Tracker]]


def destinations(paths: Sequence[Path], exports: Sequence[str]) -> Destinations:
    """The files that words name; raise UserError now for one that could not be written at the end."""
    from backbone_bench.gate.report import github
    from backbone_bench.records import store

    found = Destinations(paths, [_tracker(word) for word in exports])
    output.check(paths, GATE)
    summary = [Path(named)] if (named := os.environ.get(github.SUMMARY)) else []
    for path in (*(file for file, _ in found.exports), *summary):
        store.check_writable(path)
    return found


def _tracker(word: str) -> tuple[Path, Tracker]:
    named, equals, path = word.partition("=")
    for tracker in get_args(Tracker):
        if named == tracker and equals and path:
            return Path(path), tracker
    raise UserError(
        f"--export {visible(word)}: write it as TRACKER=FILE, the tracker {' or '.join(get_args(Tracker))}."
    )


def verdicts(words: str | None) -> "tuple[GateVerdict, ...]":
    """The verdicts of a comma-separated list, the most serious first."""
    from backbone_bench.gate.verdicts import GateVerdict

    known = {verdict.value: verdict for verdict in GateVerdict}
    named = [word.strip() for word in words.split(",")] if words else []
    for word in named:
        if word not in known:
            hint = did_you_mean(word, known, f"There are {', '.join(known)}.")
            raise UserError(f"--fail-on {visible(word)}: no such verdict. {hint}")
    return tuple(verdict for verdict in GateVerdict if verdict.value in named)


def tell(report: "GateReport", form: str | None, to: Destinations) -> None:
    """Write the report wherever it is wanted, and print it."""
    from backbone_bench.gate.report import github
    from backbone_bench.gate.report.text import answer

    told = answer(report)
    github.add_summary(os.environ, write(told, "md"))
    if github.is_github(os.environ):
        print(*github.annotations(report), sep="\n", file=sys.stderr)
    output.emit(told, form, to.reports, GATE)


def export(records: "Sequence[Record]", to: Destinations) -> None:
    """Write the newer records for those who keep their own history."""
    from backbone_bench.gate.report import trackers
    from backbone_bench.records import store

    for path, tracker in to.exports:
        store.write(path, trackers.export(records, tracker))


def keep(path: Path, compared: "Compared", report: "GateReport", *, whole: bool) -> None:
    """Write what was found into the baseline as it is now; another gate may have changed it meanwhile."""
    from backbone_bench.gate import baseline
    from backbone_bench.gate.report.sentences import headlines
    from backbone_bench.gate.verdicts import Acknowledgement

    with baseline.locked(path) as old:
        fresh = old.calibrated(compared.calibrations)
        if report.acknowledged is not None:
            changes = tuple(one.lead for one in headlines(report))
            entry = Acknowledgement(now_utc(), report.acknowledged, __version__, changes)
            fresh = fresh.updated(compared.heads, entry, whole=whole)
        baseline.write(path, fresh)
