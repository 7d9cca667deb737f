"""The application object, the exit codes and the one place where a `UserError` is caught."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from backbone_bench import __version__
from backbone_bench.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
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
    print(f"{program()}: {message}", file=sys.stderr)


def program() -> str:
    """The name by which the program was called: `bench`, `backbone-bench`."""
    name = Path(sys.argv[0]).name
    return "bench" if name == "__main__.py" else name


def main() -> NoReturn:
    """Run the command line; a `UserError` becomes one line and its exit code."""
    try:
        app(standalone_mode=True)
    except UserError as error:
        complain(str(error))
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except BrokenPipeError:
        # The reader has left (`bench list | head`); nothing is wrong, and Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    raise SystemExit(0)
