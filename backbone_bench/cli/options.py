"""Options that several commands share, with their help texts, and the parsing of their values."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from backbone_bench.base import strict_json
from backbone_bench.base.choices import Optimizer, Precision
from backbone_bench.base.errors import UserError, visible
from backbone_bench.report.tables.answer import Face
from backbone_bench.report.tables.formats import FORMATS, formats

# The faces (kinds of output) that the answer of a command has; they decide which formats --format offers.
RECORDS: tuple[Face, ...] = ("parts", "exact", "json", "jsonl", "html")
ROWS: tuple[Face, ...] = ("parts", "exact", "json", "jsonl")
COMPARISON: tuple[Face, ...] = ("parts", "exact", "json")
GATE: tuple[Face, ...] = ("parts", "exact", "json", "junit")

if TYPE_CHECKING:
    RecordFormat: TypeAlias = str
    RowFormat: TypeAlias = str
    ComparisonFormat: TypeAlias = str
    GateFormat: TypeAlias = str
else:  # typer shows and completes these choices; they come from the table of formats
    RecordFormat, RowFormat, ComparisonFormat, GateFormat = (
        Literal[formats(faces)] for faces in (RECORDS, ROWS, COMPARISON, GATE)
    )


def complete_model(incomplete: str) -> list[str]:
    """Zoo names for shell completion, without loading torch."""
    from backbone_bench.zoo import catalogue

    return [name for name in catalogue.entries() if name.startswith(incomplete)]


MODEL_HELP = (
    "A zoo model (see `bench list`), timm:NAME, torchvision:NAME, package.module:factory, "
    "path/to/file.py:factory or exported:model.pt2."
)
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help=f"{MODEL_HELP} Repeatable.", metavar="MODEL", autocompletion=complete_model),
]
ModelsArgument = Annotated[
    list[str] | None, typer.Argument(help=MODEL_HELP, metavar="MODEL", autocompletion=complete_model)
]
FamilyOption = Annotated[list[str] | None, typer.Option("--family", help="All models of a zoo family. Repeatable.")]
AllOption = Annotated[bool, typer.Option("--all", help="All models of the zoo.")]
ArgOption = Annotated[
    list[str] | None,
    typer.Option("--arg", help="Argument of the function that builds the model. Repeatable.", metavar="KEY=VALUE"),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        help="Shape of one input without the batch, such as 3x224x224:float16. Repeatable.",
        metavar="[NAME=]DxD[:TYPE]",
    ),
]
InputSizeOption = Annotated[
    int | None, typer.Option("--input-size", help="Height and width of the image.", metavar="PIXELS", min=0)
]
PrecisionOption = Annotated[Precision, typer.Option("--precision", help="Precision of the arithmetic.")]
CountTrainOption = Annotated[
    bool, typer.Option("--train", help="Count a training step: forward and backward, in training mode.")
]
OptimizerOption = Annotated[
    Optimizer | None, typer.Option(help="With --train: the step of this optimizer too.", show_default="none")
]
CrossCheckOption = Annotated[
    bool, typer.Option("--cross-check", help="Count again with fvcore and explain each difference.")
]
LayersOption = Annotated[
    bool, typer.Option("--layers", help="Also show the cost of every module and kind of operation.")
]
DepthOption = Annotated[int, typer.Option("--depth", help="With --layers: depth of nested modules to show.", min=1)]
ConventionOption = Annotated[
    Literal["1", "2"],
    typer.Option("--flops-convention", help="FLOPs per multiply-add in tables; records always count 1."),
]
_FORMAT = typer.Option(
    "--format", "-f", help="Output format; without it, a table on a terminal and Markdown elsewhere."
)
RecordFormatOption = Annotated[RecordFormat | None, _FORMAT]
RowFormatOption = Annotated[RowFormat | None, _FORMAT]
ComparisonFormatOption = Annotated[ComparisonFormat | None, _FORMAT]
GateFormatOption = Annotated[GateFormat | None, _FORMAT]
OutputsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--output", "-o", help="Also write to a file, in the format of its suffix. Repeatable.", metavar="FILE"
    ),
]
RecordsArgument = Annotated[
    list[Path], typer.Argument(help="Record files, .json or .jsonl; - is standard input.", metavar="RECORDS")
]
WideOption = Annotated[
    bool,
    typer.Option("--wide", help="Show all columns in a terminal, in several tables if need be."),
]
PlotWidthOption = Annotated[
    float | None,
    typer.Option(
        min=60, help="Width of PNG and PDF plots in mm: 85 is a paper's column, with text of 8 points.", metavar="MM"
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress, only errors.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show every phase of a row as a line.")]


def arguments(words: list[str] | None) -> dict[str, str | int | float | bool | None]:
    """Parse `key=value` pairs: a value that is a JSON scalar (12, 0.5, true, null) becomes it, any other is text."""
    pairs: dict[str, str | int | float | bool | None] = {}
    for word in words or ():
        key, equals, value = word.partition("=")
        if not equals or not key.isidentifier():
            raise UserError(f"--arg {visible(word)}: write it as name=value.")
        pairs[key] = _value(value)
    return pairs


def _value(text: str) -> str | int | float | bool | None:
    try:
        value = strict_json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"--arg …={visible(text)}: this is more than a number can hold: give a finite number.")
    return text if isinstance(value, (list, dict)) else value


def format_of(path: Path, faces: Sequence[Face] = RECORDS) -> str:
    """The format of a file, by its suffix. Raises UserError if no format of these faces has that suffix."""
    suffixes = {FORMATS[name].suffix: name for name in formats(faces)}
    form = suffixes.get(path.suffix)
    if form is None:
        raise UserError(
            f"-o {visible(str(path))}: the suffix decides the format and must be one of {', '.join(suffixes)}."
        )
    return form
