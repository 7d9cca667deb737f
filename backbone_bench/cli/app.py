"""The application object, the exit codes and the one place where a `UserError` is caught."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from backbone_bench.base import signals
from backbone_bench.base.errors import UserError
from backbone_bench.base.program import __version__
from backbone_bench.cli import streams
from backbone_bench.cli.progress.lines import say

app = typer.Typer(
    pretty_exceptions_enable=False,  # a bug keeps its whole traceback, in plain text
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"backbone-bench {__version__}")
        raise typer.Exit


@app.callback()
def bench(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = (
        False
    ),
) -> None:
    """Profile the GPU efficiency of CNN backbones and any torch model: counts, latency, energy, claims."""


def complain(message: str) -> None:
    """One line on stderr, under the name by which the program was called."""
    say(f"{program()}: {message}")


def program() -> str:
    """The name by which the program was called: `bench`, `backbone-bench`."""
    name = Path(sys.argv[0]).name
    return "bench" if name == "__main__.py" else name


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the words typed, and the help of the very command that refused them."""
    told = error.format_message().replace(": Value error, ", ": ")  # pydantic's, by way of typer
    where = getattr(error, "ctx", None)
    command = where.command_path if where else program()
    return f"{told}{'' if told.endswith(('.', '?')) else '.'} `{command} --help` shows what there is."


def _check_folder() -> None:
    """Raise UserError where the folder of this process has been removed: neither Python nor torch works there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("This folder has been removed: change to one that exists.") from None


def _check_words() -> None:
    """Raise UserError for words that are no text: they can stand in no record and no report."""
    for word in sys.argv[1:]:
        if not word.isascii() and word != word.encode(errors="ignore").decode():
            raise UserError(f"{word}: these bytes are no text in this locale: rename it, or set LC_ALL=C.UTF-8.")


def main() -> NoReturn:
    """Run the command line; what the user can put right, and a signal, become one line and an exit code."""
    streams.prepare()
    with signals.handled() as heard:
        try:
            code = _run()
        except signals.Interrupted:
            code = 0
        except Exception:  # a bug goes on, unless it is what a library made of a signal
            if heard.came is None:
                raise
            code = 0
        if heard.came is not None and code != heard.came.exit_code:  # nobody has said so
            complain(f"{heard.came}.")
            code = heard.came.exit_code
    raise SystemExit(code)


def _run() -> int:
    """The exit code of the command that was typed."""
    try:
        _check_folder()
        _check_words()
        return app(sys.argv[1:] or ["--help"], prog_name=program(), standalone_mode=False) or 0
    except UserError as error:
        complain(str(error))
        return error.exit_code
    except typer.TyperException as error:  # words that are no command, option or value
        complain(_usage(error))
        return 2
