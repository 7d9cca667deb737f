"""Write the report of a gate to stdout, files, GitHub, trackers and the baseline, before the program exits."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from backbone_bench.base.choices import Tracker
from backbone_bench.base.errors import UserError, did_you_mean, visible
from backbone_bench.base.program import __version__, now_utc
from backbone_bench.cli import output
from backbone_bench.cli.app import complain
from backbone_bench.cli.options import GATE
from backbone_bench.report.tables.formats import write

if TYPE_CHECKING:  # they load pydantic, which `--help` need not wait for
    from backbone_bench.gate.comparisons import Compared
    from backbone_bench.gate.verdicts import GateReport, GateVerdict
    from backbone_bench.records import Record


class Destinations(NamedTuple):
    """Files to write, with the tracker whose format each export has."""

    reports: Sequence[Path]
    exports: Sequence[tuple[Path, Tracker]]


def destinations(paths: Sequence[Path], exports: Sequence[str]) -> Destinations:
    """The files that the options name. Raises UserError now for a file that could not be written at the end."""
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
        f"--export {visible(word)}: write it as TRACKER=FILE, where TRACKER is {' or '.join(get_args(Tracker))}."
    )


def verdicts(words: str | None) -> "tuple[GateVerdict, ...]":
    """The verdicts in a comma-separated list, most serious first. Raises UserError for an unknown one."""
    from backbone_bench.gate.verdicts import GateVerdict

    known = {verdict.value: verdict for verdict in GateVerdict}
    named = [word.strip() for word in words.split(",")] if words else []
    for word in named:
        if word not in known:
            hint = did_you_mean(word, known, f"There are {', '.join(known)}.")
            raise UserError(f"--fail-on {visible(word)}: no such verdict. {hint}")
    return tuple(verdict for verdict in GateVerdict if verdict.value in named)


def write_report(report: "GateReport", form: str | None, to: Destinations) -> None:
    """Write the report to the GitHub summary, the annotations and the files, and print it."""
    from backbone_bench.gate.report import github
    from backbone_bench.gate.report.text import answer

    written = answer(report)
    github.add_summary(os.environ, write(written, "md"))
    if github.is_github(os.environ):
        print(*github.annotations(report), sep="\n", file=sys.stderr)
    output.emit(written, form, to.reports, GATE)


def export(records: "Sequence[Record]", to: Destinations) -> None:
    """Write the head records in the formats of trackers that keep the history."""
    from backbone_bench.gate.report import trackers
    from backbone_bench.records import store

    for path, tracker in to.exports:
        store.write(path, trackers.export(records, tracker))


def accept(report: "GateReport", reason: str) -> None:
    """Write what this run accepts into the tree, for the pull request to hold."""
    from backbone_bench.gate import accepted
    from backbone_bench.gate.report.sentences import headlines

    findings = tuple(found for found in report.findings if found.accepted == reason)
    if not findings:
        complain("Nothing was accepted: no count differs and no measurement has regressed.")
        return
    changes = tuple(one.lead for one in headlines(replace(report, findings=findings)))
    entry = accepted.AcceptedChanges(now_utc(), reason, __version__, changes, accepted.numbers(findings))
    path = accepted.write(Path.cwd() / accepted.FOLDER, entry)
    complain(f"The changes are accepted in {accepted.FOLDER}/{path.name}: commit it with them.")


def update_baseline(path: Path, compared: "Compared", report: "GateReport", *, whole: bool) -> None:
    """Add the result to the baseline file, read again under its lock: another gate may have changed it meanwhile.

    A change is not accepted if anything could not be run.
    """
    from backbone_bench.gate import baseline
    from backbone_bench.gate.report.sentences import headlines
    from backbone_bench.gate.verdicts import Acknowledgement

    if (failed := report.could_not_run) and not compared.calibrations:
        complain(f"{path} is not written, because {', '.join(failed)} could not be run.")
        return
    with baseline.locked(path) as old:
        fresh = old.calibrated(compared.calibrations)
        if report.acknowledged is not None:
            changes = tuple(headline.lead for headline in headlines(report))
            entry = Acknowledgement(now_utc(), report.acknowledged, __version__, changes)
            fresh = fresh.updated(compared.heads, entry, whole=whole)
        baseline.write(path, fresh)
