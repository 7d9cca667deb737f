"""One self-contained HTML page of records: no request leaves it, and it works from a file.

Autoescape is on, and a content security policy that names the hashes of our
own style and script allows nothing else, whatever a model is called.
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
from backbone_bench.report.views.layers import dearest_table
from backbone_bench.report.views.tree import Node, tree

_VIEW = View(COMPARE)
_SECTIONS = {
    "summary": "Summary", "plots": "Plots", "claims": "Claims", "layers": "Layers", "samples": "Samples",
    "environments": "Environments", "rerun": "How to run it again",
}  # fmt: skip


class _Working(NamedTuple):
    title: str
    text: str


class _Claims(NamedTuple):
    table: Table
    workings: tuple[_Working, ...]


class _Picture(NamedTuple):
    title: str
    caption: str
    panels: tuple[Markup, ...]
    key: Markup


class _Layers(NamedTuple):
    title: str
    nodes: tuple[Node, ...]
    dearest: Table


class _Trace(NamedTuple):
    title: str
    flags: str
    panels: tuple[Markup, ...]
    watched: tuple[tuple[str, str], ...]  # what the device went through meanwhile


class _Place(NamedTuple):
    title: str
    facts: tuple[tuple[str, str], ...]


def page(records: Sequence[Record], view: View = _VIEW, outcomes: Sequence[ClaimResult] = ()) -> str:
    """The page of these records: the tables of a view, and the claims that came to these outcomes."""
    style, script = _style(), _asset("page.js")
    parts: dict[str, Any] = {
        "tables": [without_empty(table) for table in compare(records, view)],
        "plots": [_picture(plot) for plot in draw(records)],
        "claims": _claims(outcomes) if outcomes else None,
        "layers": list(_layers(records)),
        "traces": list(_traces(records)),
        "environments": [_place(place.records[0]) for place in environment_groups(records)],
        "commands": list(dict.fromkeys(shlex.join(record.tool.argv) for record in records)),
    }
    absent = {"plots": not parts["plots"], "claims": not outcomes, "layers": not parts["layers"]}
    absent["samples"] = not parts["traces"]
    sections = [(name, title) for name, title in _SECTIONS.items() if not absent.get(name)]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["visible"] = lambda text: escape.visible(str(text))
    return environment.from_string(_asset("page.html")).render(
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
    return tuple(Markup(svg.inline(panel, series)) for panel in panels)  # escaped where it is made, in svg.py


def _layers(records: Sequence[Record]) -> Iterator[_Layers]:
    """One tree for each network and input, however often it was run."""
    seen = set()
    for record in records:
        workload = record.workload
        arguments = (f"{name}={value}" for name, value in workload.arguments.items())
        mode = () if workload.mode == "eval" else (workload.mode,)
        title = ", ".join((workload.model, *arguments, *workload.inputs, *mode))
        if not isinstance(record.cost, Missing) and title not in seen:
            seen.add(title)
            yield _Layers(title, tree(record.cost), dearest_table(record.cost, f"{title}: the dearest"))


def _traces(records: Sequence[Record]) -> Iterator[_Trace]:
    for record in records:
        panels = trace(record)
        if panels:
            title = f"{record.workload.model}, batch {record.workload.batch}, {record.started_utc}"
            watched = () if isinstance(record.watch, Missing) else tuple(leaves(record.watch))
            yield _Trace(title, str(COLUMNS["flags"].value(record)), _inline(panels, SERIES), watched)


def _claims(outcomes: Sequence[ClaimResult]) -> _Claims:
    workings = (_Working(f"{one.entry.claim.id}: {one.verdict.value}", working(one)) for one in outcomes)
    return _Claims(without_empty(tables.table_of(outcomes)), tuple(workings))


def _place(record: Record) -> _Place:
    return _Place(machine(record), tuple(fact for fact in leaves(record.environment) if fact[1] != "None"))
