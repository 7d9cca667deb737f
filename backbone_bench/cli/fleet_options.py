"""Options of `bench run` that hand its rows to a fleet."""

from dataclasses import dataclass, fields
from typing import Annotated

import typer

from backbone_bench.base.errors import UserError

FleetOption = Annotated[
    str | None,
    typer.Option(
        "--fleet",
        help="Run the rows on several devices or machines: local:N has N devices here, slurm and ray[:ADDRESS] are "
        "the engines of a site. Needs a .jsonl output.",
        metavar="ENGINE",
    ),
]
OnOption = Annotated[
    str | None,
    typer.Option(
        "--on",
        help="With --fleet: the kinds of card, as the engine names them, or each-kind: one row for each.",
        metavar="KIND,…",
        show_default="any card",
    ),
]
SideBySideOption = Annotated[
    bool,
    typer.Option("--side-by-side", help="With --fleet: a row on each card of a machine, not one alone on the machine."),
]
ShareNodeOption = Annotated[
    bool, typer.Option("--share-node", help="With --fleet: run beside jobs of others on the same machine.")
]
MixedOption = Annotated[
    bool,
    typer.Option("--mixed", help="With --fleet: use machines that have other versions too, and mark their records."),
]
RowsPerJobOption = Annotated[
    int | None,
    typer.Option(
        "--rows-per-job",
        help="With --fleet slurm: the rows of one job.",
        metavar="N",
        min=1,
        show_default="1, or as many as fill the largest array",
    ),
]
SbatchOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sbatch",
        help="With --fleet slurm: an option of sbatch, such as --sbatch=--partition=gpu. Repeatable.",
        metavar="OPTION",
    ),
]


@dataclass(frozen=True, slots=True)
class FleetRequest:
    """What the options of a fleet ask for."""

    fleet: str | None
    on: str | None
    side_by_side: bool
    share_node: bool
    mixed: bool
    rows_per_job: int | None
    sbatch: tuple[str, ...]

    def check_absent(self) -> None:
        """Raise UserError for an option that says nothing without `--fleet`."""
        for field in fields(self):
            if getattr(self, field.name):
                raise UserError(f"--{field.name.replace('_', '-')} is about a fleet: give --fleet too.")
