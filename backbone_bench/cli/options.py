"""Options that several commands share, with their help; and how their words become values."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from backbone_bench.base import strict_json
from backbone_bench.base.choices import Precision
from backbone_bench.base.errors import UserError, visible
from backbone_bench.report.tables.answer import Face
from backbone_bench.report.tables.formats import FORMATS, formats

# What a command can write: the faces of its answer. Of these follow the formats that its options take.
RECORDS: tuple[Face, ...] = ("parts", "exact", "json", "jsonl", "html")
ROWS: tuple[Face, ...] = ("parts", "exact", "json", "jsonl")
COMPARISON: tuple[Face, ...] = ("parts", "exact", "json")
GATE: tuple[Face, ...] = ("parts", "exact", "json", "junit")

if TYPE_CHECKING:
    RecordFormat: TypeAlias = str
    RowFormat: TypeAlias = str
    ComparisonFormat: TypeAlias = str
    GateFormat: TypeAlias = str
else:  # the choices that typer shows and completes, made of the table of formats
    RecordFormat, RowFormat, ComparisonFormat, GateFormat = (
        Literal[formats(faces)] for faces in (RECORDS, ROWS, COMPARISON, GATE)
    )


def complete_model(incomplete: str) -> list[str]:
    """Names of the zoo for the shell, without torch."""
    from backbone_bench.zoo import catalogue

    return [name for name in catalogue.entries() if name.startswith(incomplete)]


MODEL_HELP = (
    "A name of the zoo (see `bench list`), timm:NAME, torchvision:NAME, package.module:factory, "
    "path/to/file.py:factory or exported:model.pt2."
)
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help=f"{MODEL_HELP} Repeatable.", metavar="MODEL", autocompletion=complete_model),
]
ModelsArgument = Annotated[
    list[str] | None, typer.Argument(help=MODEL_HELP, metavar="MODEL", autocompletion=complete_model)
]
FamilyOption = Annotated[
    list[str] | None, typer.Option("--family", help="AllOption networks of a family of the zoo. Repeatable.")
]
AllOption = Annotated[bool, typer.Option("--all", help="The whole zoo.")]
ArgOption = Annotated[
    list[str] | None,
    typer.Option("--arg", help="An argument for the model's factory. Repeatable.", metavar="KEY=VALUE"),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        help="One input without its batch, as 3x224x224[:float16], or NAME=3x224x224 for a keyword. Repeatable.",
        metavar="[NAME=]DxD[:TYPE]",
    ),
]
InputSizeOption = Annotated[
    int | None, typer.Option("--input-size", help="Height and width of the image.", metavar="PIXELS", min=0)
]
PrecisionOption = Annotated[Precision, typer.Option("--precision", help="Precision of the arithmetic.")]
CountTrainOption = Annotated[bool, typer.Option("--train", help="In training mode; `run` times forward and backward.")]
CrossCheckOption = Annotated[
    bool, typer.Option("--cross-check", help="Count a second time with fvcore and explain differences.")
]
LayersOption = Annotated[bool, typer.Option("--layers", help="Also the cost of every module and kind of operation.")]
DepthOption = Annotated[int, typer.Option("--depth", help="With --layers: how deep into the modules.", min=1)]
ConventionOption = Annotated[
    Literal["1", "2"], typer.Option("--flops-convention", help="FLOPs shown per multiply-add; records keep 1.")
]
_FORMAT = typer.Option("--format", "-f", help="Form of what is printed; a table on a terminal, Markdown elsewhere.")
RecordFormatOption = Annotated[RecordFormat | None, _FORMAT]
RowFormatOption = Annotated[RowFormat | None, _FORMAT]
ComparisonFormatOption = Annotated[ComparisonFormat | None, _FORMAT]
GateFormatOption = Annotated[GateFormat | None, _FORMAT]
OutputsOption = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", help="Also write to a file; its suffix names the form. Repeatable.", metavar="FILE"),
]
RecordsArgument = Annotated[
    list[Path], typer.Argument(help="Files of records, .json or .jsonl; - is standard input.", metavar="RECORDS")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="More about what is being done.")]


def arguments(words: list[str] | None) -> dict[str, str | int | float | bool | None]:
    """`key=value` pairs; a value that reads as JSON (12, 0.5, true, null) is that, any other is text."""
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
        raise UserError(f"--arg …={visible(text)}: that is more than a number can hold.")
    return text if isinstance(value, (list, dict)) else value


def form_of(path: Path, faces: Sequence[Face] = RECORDS) -> str:
    """The format that a file's suffix names; raise UserError where it names none that can be made of these faces."""
    suffixes = {FORMATS[name].suffix: name for name in formats(faces)}
    form = suffixes.get(path.suffix)
    if form is None:
        raise UserError(f"-o {visible(str(path))}: the suffix says the form, and is one of {', '.join(suffixes)}.")
    return form
