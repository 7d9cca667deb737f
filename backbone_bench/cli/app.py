"""The typer application, its exit codes, and the one place that catches a `UserError`."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from backbone_bench.base import signals, watched
from backbone_bench.base.errors import UserError
from backbone_bench.base.program import __version__
from backbone_bench.cli import streams
from backbone_bench.cli.progress.lines import say

app = typer.Typer(
    pretty_exceptions_enable=False,  # a bug keeps its whole traceback, in plain text
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _version(requested: bool) -> None:
    if requested:
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
    """Print one line on stderr, with the program name in front."""
    say(f"{program()}: {message}")


def program() -> str:
    """The name under which the program was started: `bench` or `backbone-bench`."""
    name = Path(sys.argv[0]).name
    return "bench" if name == "__main__.py" else name


def _usage(error: typer.TyperException) -> str:
    """The usage error in one line, with the `--help` of the command that reported it."""
    message = error.format_message().replace(": Value error, ", ": ")  # pydantic's prefix, passed on by typer
    where = getattr(error, "ctx", None)
    command = where.command_path if where else program()
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} See `{command} --help`."


def _check_folder() -> None:
    """Raise UserError if the working folder has been removed: neither Python nor torch works there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("The working folder has been removed: change to one that exists.") from None


def _check_arguments() -> None:
    """Raise UserError for an argument that is not valid text: no record and no report can hold it."""
    for word in sys.argv[1:]:
        if not word.isascii() and word != word.encode(errors="ignore").decode():
            raise UserError(f"{word}: not valid text in this locale: rename it, or set LC_ALL=C.UTF-8.")


def main() -> NoReturn:
    """Run the command line; a `UserError` or a signal becomes one line on stderr and an exit code."""
    streams.prepare()
    with signals.handled() as received:
        try:
            code = _run()
        except signals.Interrupted:
            code = 0
        except Exception:  # a bug keeps its traceback, unless a library turned a signal into this exception
            if received.received is None:
                raise
            code = 0
        if received.received is not None and code != received.received.exit_code:  # the command has not reported it
            complain(f"{received.received}.")
            code = received.received.exit_code
    watched.tell(code)
    raise SystemExit(code)


def _run() -> int:
    """Run the command in `sys.argv` and return its exit code."""
    try:
        _check_folder()
        _check_arguments()
        return app(sys.argv[1:] or ["--help"], prog_name=program(), standalone_mode=False) or 0
    except UserError as error:
        complain(str(error))
        return error.exit_code
    except typer.TyperException as error:  # an unknown command or option, or a wrong value
        complain(_usage(error))
        return 2
