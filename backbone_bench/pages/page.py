"""The self-contained HTML page of records: it makes no network request and opens from a file.

First what the records say, then the table, then plots and details. A detail is
text in a data block of the page until somebody opens it, so that a page of a
thousand records opens at once.

A record may hold any text, so Jinja's autoescape is on, and the content security
policy allows only this page's own style and script, by their SHA-256 hashes.
"""

import base64
import hashlib
import json
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from backbone_bench.claims.judges.engine import ClaimResult
from backbone_bench.claims.report import tables
from backbone_bench.claims.report.working import working
from backbone_bench.pages import details, story
from backbone_bench.pages.cells import MARKS
from backbone_bench.pages.details import Detail, picture
from backbone_bench.pages.grid import COLUMNS, grids
from backbone_bench.pages.templates import asset, template
from backbone_bench.records import Record
from backbone_bench.report.drawing import svg
from backbone_bench.report.plots.alike import largest
from backbone_bench.report.plots.roofline import how_to_get, split_ceilings
from backbone_bench.report.plots.which import draw, leading
from backbone_bench.report.tables.table import Table, without_empty
from backbone_bench.report.views.compare import View
from backbone_bench.report.views.conditions import environment_groups, leaves, machine

_VIEW = View(COLUMNS)
_SECTIONS = {
    "summary": "Records", "plots": "Plots", "claims": "Claims", "layers": "Layers", "samples": "Samples",
    "environments": "Environments", "rerun": "How to run it again",
}  # fmt: skip
_FOLDED = ("kinds", "spread", "flame")  # plots that are drawn when they are opened


class _Working(NamedTuple):
    """The calculation behind one claim's verdict."""

    title: str
    text: str


class _Claims(NamedTuple):
    table: Table
    workings: tuple[_Working, ...]


class _Environment(NamedTuple):
    """The fields of one environment, as names and texts."""

    title: str
    facts: tuple[tuple[str, str], ...]


def page(
    records: Sequence[Record],
    view: View = _VIEW,
    outcomes: Sequence[ClaimResult] = (),
    sources: Sequence[str] = (),
) -> str:
    """Render the HTML page: the story, the table of `view`, plots, layers, samples, environments, and claims.

    `sources` names the files of the records.
    """
    style, script = _style(), asset("page.js")
    networks, ceilings = split_ceilings(records)
    groups = largest(networks)
    plots = draw(records)
    opened = [plot for plot in plots if not plot.name.startswith(_FOLDED)]
    folded = details.plots([plot for plot in plots if plot.name.startswith(_FOLDED)])
    layers, traces = details.layers(records), details.traces(records)
    absent = {"plots": not plots, "claims": not outcomes, "layers": not layers, "samples": not traces}
    return template("page.html").render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        sections=[(name, title) for name, title in _SECTIONS.items() if not absent.get(name)],
        headline=story.headline(records) if records else "",
        sentences=story.sentences(groups),
        leading=[picture(plot) for plot in leading(groups)],
        grades=[(sign, grade) for grade, sign in MARKS.items()],
        grids=grids(records, view),
        plots=[picture(plot) for plot in opened],
        folded=folded,
        roof=how_to_get(groups[0].records[0]) if groups and not ceilings else "",
        claims=_claims(outcomes) if outcomes else None,
        layers=layers,
        traces=traces,
        environments=[_environment(group.records[0]) for group in environment_groups(records)],
        sources=shlex.join(sources),
        commands=list(dict.fromkeys(shlex.join(record.tool.argv) for record in records)),
        data=_data([*folded, *layers, *traces]),
    )


def _data(parts: Sequence[Detail]) -> Markup:
    """The details as JSON that cannot end its script element."""
    return Markup(json.dumps({part.key: part.html for part in parts}).replace("<", "\\u003c"))


def _style() -> str:
    light, dark = (f"{svg.variables(theme)}--hover:{svg.HOVER[theme]};" for theme in ("light", "dark"))
    themes = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return themes + svg.style() + asset("page.css")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        f"base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _claims(outcomes: Sequence[ClaimResult]) -> _Claims:
    workings = (
        _Working(f"{outcome.entry.claim.id}: {outcome.verdict.value}", working(outcome))
        for outcome in sorted(outcomes, key=tables.urgency)
    )
    return _Claims(without_empty(tables.at_a_glance(outcomes)), tuple(workings))


def _environment(record: Record) -> _Environment:
    return _Environment(machine(record), tuple(fact for fact in leaves(record.environment) if fact[1] != "None"))
