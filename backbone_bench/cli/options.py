"""Options that several commands share, with their help; and how their words become values."""

import json
import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from backbone_bench.base.errors import UserError, visible

Format = Literal["table", "md", "csv", "json", "jsonl", "html"]
SUFFIXES: dict[str, Format] = {
    ".md": "md",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".txt": "table",
    ".html": "html",
}


def complete_model(incomplete: str) -> list[str]:
    """Names of the zoo for the shell, without torch."""
    from backbone_bench.zoo import catalogue

    return [name for name in catalogue.entries() if name.startswith(incomplete)]


MODEL_HELP = (
    "A name of the zoo (see `bench list`), timm:NAME, torchvision:NAME, package.module:factory, "
    "path/to/file.py:factory or exported:model.pt2."
)
Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help=f"{MODEL_HELP} Repeatable.", metavar="MODEL", autocompletion=complete_model),
]
ModelNames = Annotated[
    list[str] | None, typer.Argument(help=MODEL_HELP, metavar="MODEL", autocompletion=complete_model)
]
Family = Annotated[list[str] | None, typer.Option("--family", help="All networks of a family of the zoo. Repeatable.")]
All = Annotated[bool, typer.Option("--all", help="The whole zoo.")]
Argument = Annotated[
    list[str] | None,
    typer.Option("--arg", help="An argument for the model's factory. Repeatable.", metavar="KEY=VALUE"),
]
Input = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        help="One input without its batch, as 3x224x224[:float16], or NAME=3x224x224 for a keyword. Repeatable.",
        metavar="[NAME=]DxD[:TYPE]",
    ),
]
InputSize = Annotated[
    int | None, typer.Option("--input-size", help="Height and width of the image.", metavar="PIXELS", min=0)
]
Precision = Annotated[
    Literal["fp32", "tf32", "fp16", "bf16", "amp"], typer.Option("--precision", help="Precision of the arithmetic.")
]
Train = Annotated[bool, typer.Option("--train", help="In training mode; `run` times forward and backward.")]
CrossCheck = Annotated[
    bool, typer.Option("--cross-check", help="Count a second time with fvcore and explain differences.")
]
Layers = Annotated[bool, typer.Option("--layers", help="Also the cost of every module and kind of operation.")]
Depth = Annotated[int, typer.Option("--depth", help="With --layers: how deep into the modules.", min=1)]
Convention = Annotated[
    Literal["1", "2"], typer.Option("--flops-convention", help="FLOPs shown per multiply-add; records keep 1.")
]
OutputFormat = Annotated[
    Format | None,
    typer.Option("--format", "-f", help="Form of what is printed; a table on a terminal, Markdown elsewhere."),
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", help="Also write to a file; its suffix names the form. Repeatable.", metavar="FILE"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="More about what is being done.")]


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
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"--arg …={visible(text)}: that is more than a number can hold.")
    return text if isinstance(value, (list, dict)) else value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def form_of(path: Path) -> Format:
    """The form that a file's suffix names."""
    form = SUFFIXES.get(path.suffix)
    if form is None:
        raise UserError(f"-o {visible(str(path))}: the suffix says the form, and is one of {', '.join(SUFFIXES)}.")
    return form
