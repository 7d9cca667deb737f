"""Parse options of `bench run` inside another command: `bench gate --base-ref main -- run --model resnet18`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from backbone_bench.base.errors import UserError
from backbone_bench.cli import choose
from backbone_bench.cli.app import app, program
from backbone_bench.cli.job_options import is_setting, resolved, settings_in
from backbone_bench.cli.options import arguments

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.jobs.job import Job
    from backbone_bench.jobs.settings import Settings

_OTHERS = frozenset(
    ("cross_check", "in_process", "wait_for_cool")
)  # settings that do not change what a comparison measures


def settings_of(words: Sequence[str]) -> "Settings":
    """The settings in options of `bench run`. Raises UserError for an option that does not define a row."""
    given = _given(words[1:] if tuple(words[:1]) == ("run",) else words)
    for name in given:
        if name in _OTHERS or not is_setting(name):
            word = name.replace("_", "-")
            raise UserError(f"--{word} does not say what to run: put it before `--`, or leave it out.")
    return resolved(settings_in(given)).settings


def _given(words: Sequence[str]) -> dict[str, Any]:
    """The parameters of `bench run` that the words set, parsed by typer."""
    commands = getattr(typer.main.get_command(app), "commands", {})
    context = commands["run"].make_context(f"{program()} run", list(words))
    return {
        name: value
        for name, value in context.params.items()
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }


def jobs_of(settings: "Settings") -> "list[Job]":
    """One job per model and combination of settings."""
    names = choose.models(settings.model, settings.family, everything=settings.all)
    return settings.jobs(names, arguments(list(settings.arg)))
