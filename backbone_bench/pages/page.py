"""The self-contained HTML page of records: it makes no network request and opens from a file.

A record may hold any text, so Jinja's autoescape is on, and the content security
policy allows only this page's own style and script, by their SHA-256 hashes.
"""

import base64
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from backbone_bench.claims.judges.engine import ClaimResult
from backbone_bench.claims.report import tables
from backbone_bench.claims.report.working import working
from backbone_bench.records import Missing, Record
from backbone_bench.report.drawing import svg
from backbone_bench.report.drawing.plot import Panel, Plot
from backbone_bench.report.plots.samples import SERIES, trace
from backbone_bench.report.plots.which import draw
from backbone_bench.report.tables import escape
from backbone_bench.report.tables.table import Table, without_empty
from backbone_bench.report.views.columns import COLUMNS, COMPARE
from backbone_bench.report.views.compare import View, compare
from backbone_bench.report.views.conditions import environment_groups, leaves, machine
from backbone_bench.report.views.layers import costliest_table
from backbone_bench.report.views.tree import Node, tree

_VIEW = View(COMPARE)
_SECTIONS = {
    "summary": "Summary", "plots": "Plots", "claims": "Claims", "layers": "Layers", "samples": "Samples",
    "environments": "Environments", "rerun": "How to run it again",
}  # fmt: skip


class _Working(NamedTuple):
    """The calculation behind one claim's verdict."""

    title: str
    text: str


class _Claims(NamedTuple):
    table: Table
    workings: tuple[_Working, ...]


class _Picture(NamedTuple):
    """A plot: its panels as inline SVG, and its legend."""

    title: str
    caption: str
    panels: tuple[Markup, ...]
    key: Markup  # the legend


class _Layers(NamedTuple):
    """The cost of one network by module."""

    title: str
    nodes: tuple[Node, ...]
    costliest: Table


class _Trace(NamedTuple):
    """The latency samples of one record, in order."""

    title: str
    flags: str
    panels: tuple[Markup, ...]
    watched: tuple[tuple[str, str], ...]  # clocks, temperature, throttling and other processes


class _Environment(NamedTuple):
    """The fields of one environment, as names and texts."""

    title: str
    facts: tuple[tuple[str, str], ...]


def page(records: Sequence[Record], view: View = _VIEW, outcomes: Sequence[ClaimResult] = ()) -> str:
    """Render the HTML page: the tables of `view`, plots, layers, samples, environments, and claims with `outcomes`."""
    style, script = _style(), _asset("page.js")
    parts: dict[str, Any] = {
        "tables": [without_empty(table) for table in compare(records, view)],
        "plots": [_picture(plot) for plot in draw(records)],
        "claims": _claims(outcomes) if outcomes else None,
        "layers": list(_layers(records)),
        "traces": list(_traces(records)),
        "environments": [_environment(group.records[0]) for group in environment_groups(records)],
        "commands": list(dict.fromkeys(shlex.join(record.tool.argv) for record in records)),
    }
    empty = {"plots": not parts["plots"], "claims": not outcomes, "layers": not parts["layers"]}
    empty["samples"] = not parts["traces"]
    sections = [(name, title) for name, title in _SECTIONS.items() if not empty.get(name)]
    jinja = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters["visible"] = lambda text: escape.visible(str(text))
    return jinja.from_string(_asset("page.html")).render(
        about=_about(records),
        sections=sections,
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        **parts,
    )


def _asset(name: str) -> str:
    return files("backbone_bench.pages").joinpath("assets", name).read_text(encoding="utf-8")


def _style() -> str:
    light, dark = svg.variables("light"), svg.variables("dark")
    themes = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return themes + svg.style() + _asset("page.css")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        f"base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _about(records: Sequence[Record]) -> str:
    models = len({record.workload.model for record in records})
    days = sorted(record.started_utc[:10] for record in records)
    span = " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""
    versions = ", ".join(sorted({record.tool.version for record in records}))
    return f"{len(records)} records of {models} models, {span}, backbone-bench {versions}."


def _picture(plot: Plot) -> _Picture:
    return _Picture(plot.title, plot.caption, _inline(plot.panels, plot.series), Markup(svg.key(plot.series)))


def _inline(panels: Sequence[Panel], series: Sequence[str]) -> tuple[Markup, ...]:
    return tuple(Markup(svg.inline(panel, series)) for panel in panels)  # svg.py has escaped it


def _layers(records: Sequence[Record]) -> Iterator[_Layers]:
    """One module tree per network, arguments, input and mode, however often it ran."""
    seen = set()
    for record in records:
        workload = record.workload
        arguments = (f"{name}={value}" for name, value in workload.arguments.items())
        mode = () if workload.mode == "eval" else (workload.mode,)
        title = ", ".join((workload.model, *arguments, *workload.inputs, *mode))
        if not isinstance(record.cost, Missing) and title not in seen:
            seen.add(title)
            yield _Layers(title, tree(record.cost), costliest_table(record.cost, f"{title}: most expensive operations"))


def _traces(records: Sequence[Record]) -> Iterator[_Trace]:
    for record in records:
        panels = trace(record)
        if panels:
            title = f"{record.workload.model}, batch {record.workload.batch}, {record.started_utc}"
            watched = () if isinstance(record.watch, Missing) else tuple(leaves(record.watch))
            yield _Trace(title, str(COLUMNS["flags"].value(record)), _inline(panels, SERIES), watched)


def _claims(outcomes: Sequence[ClaimResult]) -> _Claims:
    workings = (
        _Working(f"{outcome.entry.claim.id}: {outcome.verdict.value}", working(outcome)) for outcome in outcomes
    )
    return _Claims(without_empty(tables.table_of(outcomes)), tuple(workings))


def _environment(record: Record) -> _Environment:
    return _Environment(machine(record), tuple(fact for fact in leaves(record.environment) if fact[1] != "None"))
