"""`bench list` and `bench schema`: show the models of the zoo and the JSON Schema of a record."""

import fnmatch
import json
from typing import Annotated

import typer

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.cli import output
from backbone_bench.cli.app import app
from backbone_bench.cli.options import RowFormatOption
from backbone_bench.report.tables.answer import Answer
from backbone_bench.zoo import catalogue
from backbone_bench.zoo.catalogue import CatalogueEntry


@app.command("list")
def list_models(
    pattern: Annotated[
        str | None,
        typer.Argument(help="Part of a model or family name, or a pattern such as 'vovnet*'.", metavar="PATTERN"),
    ] = None,
    form: RowFormatOption = None,
) -> None:
    """List the models of the zoo.

    Name, family, paper, year, input, parameters and FLOPs (a multiply-add counts once).
    """
    chosen = list(catalogue.entries().values()) if pattern is None else _matching(pattern)
    output.emit(_answer(chosen), form)


def _matching(pattern: str) -> list[CatalogueEntry]:
    glob = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    known = catalogue.entries().values()
    chosen = [entry for entry in known if any(fnmatch.fnmatch(name, glob) for name in (entry.name, entry.family))]
    if not chosen:
        hint = did_you_mean(pattern, catalogue.entries(), "See `bench list`.")
        raise UserError(f"The zoo has no model or family like {pattern!r}. {hint}")
    return chosen


def _answer(entries: list[CatalogueEntry]) -> Answer:
    from backbone_bench.report.tables.listing import listing
    from backbone_bench.report.views.zoo import zoo_table  # pydantic waits until a list is drawn

    return listing([_row(entry) for entry in entries], zoo_table(entries))


def _row(entry: CatalogueEntry) -> dict[str, object]:
    return {name: value for name, value in entry._asdict().items() if name != "counts"} | {
        "paper": entry.paper._asdict(),
        **entry.counts,
    }


@app.command()
def schema() -> None:
    """Print the JSON Schema of a record."""
    from backbone_bench.records import store  # pydantic waits

    output.put(json.dumps(store.schema(), indent=1) + "\n")
