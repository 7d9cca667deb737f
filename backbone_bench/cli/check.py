"""`bench check`: check claimed figures of one model from the shell; the exit code says whether they hold."""

from typing import Annotated, Literal

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.base.prints import prints_to_stderr
from backbone_bench.cli import choose, output
from backbone_bench.cli.app import app
from backbone_bench.cli.options import (
    MODEL_HELP,
    ArgOption,
    InputSizeOption,
    RowFormatOption,
    arguments,
    complete_model,
)

DIFFERS = 1


def _figure(flag: str, what: str) -> typer.models.OptionInfo:
    return typer.Option(flag, help=f"{what}, such as 4.1G, 25.6M or 4089184256.", metavar="FIGURE")


@app.command()
def check(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help=MODEL_HELP, metavar="MODEL", autocompletion=complete_model)],
    flops: Annotated[str | None, _figure("--flops", "FLOPs, a multiply-add counts once")] = None,
    params: Annotated[str | None, _figure("--params", "Parameters")] = None,
    access: Annotated[str | None, _figure("--access", "Memory access cost, in elements")] = None,
    conv_flops: Annotated[str | None, _figure("--conv-flops", "FLOPs of convolutions")] = None,
    conv_access: Annotated[str | None, _figure("--conv-access", "Memory access cost of convolutions")] = None,
    cio: Annotated[str | None, _figure("--cio", "Inputs and outputs of convolutions (CIO), in elements")] = None,
    traffic: Annotated[str | None, _figure("--traffic", "Elements that all operations read and write")] = None,
    reduction_depth: Annotated[
        str | None, _figure("--reduction-depth", "Products in one output element, summed over convolutions")
    ] = None,
    tolerance: Annotated[
        str | None,
        typer.Option(help="Allowed difference, such as 2%; without it, the precision of the figure.", metavar="SHARE"),
    ] = None,
    convention: Annotated[
        Literal["1", "2"], typer.Option("--flops-convention", help="FLOPs per multiply-add in the claim.")
    ] = "1",
    input_size: InputSizeOption = None,
    arg: ArgOption = None,
    form: RowFormatOption = None,
) -> None:
    """Check claimed figures of a model.

    Exits with 0 if all figures hold and with 1 if one does not. A known cause of a difference is named: a multiply-add
    counted twice, the classifier left out, another input size, …
    """
    from backbone_bench.records.quantities import CLAIMED

    given = {metric: figure for metric in CLAIMED if (figure := context.params.get(metric)) is not None}
    if not given:
        raise UserError("No figure to check: give at least one, such as --flops 4.1G or --params 25.6M.")
    choose.watch([model])
    from backbone_bench.claims.data import claimed, subjects
    from backbone_bench.claims.evidence import counter
    from backbone_bench.claims.judges.claimed import judge_claimed
    from backbone_bench.claims.report import tables as report

    network = subjects.Network(model, input_size, arguments(arg) or None)
    per_multiply_add: Literal[1, 2] = 2 if convention == "2" else 1
    entries = [
        claimed.entry(network, metric, figure, tolerance=tolerance, per_multiply_add=per_multiply_add)
        for metric, figure in given.items()
    ]
    with prints_to_stderr():
        outcomes = judge_claimed(entries, counter.gather_evidence())
    output.emit(report.answer_checked(outcomes), form)
    if any(outcome.unexpected for outcome in outcomes):
        raise typer.Exit(DIFFERS)
