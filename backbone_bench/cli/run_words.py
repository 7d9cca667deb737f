"""Options of `bench run` where another command takes them: `bench gate --base-ref main -- run --model resnet18`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from backbone_bench.cli import choose
from backbone_bench.cli.app import app, program
from backbone_bench.cli.job_options import energy, layout, resolved
from backbone_bench.cli.options import arguments
from backbone_bench.errors import UserError

if TYPE_CHECKING:  # they load pydantic
    from backbone_bench.jobs import Job
    from backbone_bench.settings import Settings

# Parameters of `run` that say what a row is, under the names of their settings where those are others.
_SETTINGS = {
    "family": "family", "everything": "all", "device": "device", "arg": "arg", "inputs": "input",
    "input_size": "input-size", "batch_size": "batch-size", "precision": "precision", "compile_mode": "compile",
    "train": "train", "cache": "cache", "threads": "threads", "seed": "seed", "latency": "latency",
    "energy_window": "energy-window", "energy_source": "energy-source", "protocol": "protocol",
    "whole_card": "allow-whole-card", "lock_clocks": "lock-clocks", "quick": "quick", "budget": "budget",
    "timeout": "timeout",
}  # fmt: skip
_JOINED = ("models", "model", "memory_format", "channels_last", "no_energy", "require_energy")


def settings_of(words: Sequence[str]) -> "Settings":
    """The settings that words of `bench run` ask for; raise UserError for those that say more than what a row is."""
    given = _given(words[1:] if tuple(words[:1]) == ("run",) else words)
    strange = [name for name in given if name not in _SETTINGS and name not in _JOINED]
    if strange:
        word = strange[0].replace("_", "-")
        raise UserError(f"--{word} does not say what to run: put it before `--`, or leave it out.")
    return resolved(
        {setting: given.get(name) for name, setting in _SETTINGS.items()}
        | {
            "model": [*given.get("models", ()), *given.get("model", ())],
            "memory-format": layout(given.get("memory_format"), channels_last="channels_last" in given),
            "energy": energy(no="no_energy" in given, required="require_energy" in given),
        }
    ).settings


def _given(words: Sequence[str]) -> dict[str, Any]:
    """The parameters of `run` that the words name, as it reads them."""
    commands = getattr(typer.main.get_command(app), "commands", {})
    context = commands["run"].make_context(f"{program()} run", list(words))
    return {
        name: value
        for name, value in context.params.items()
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }


def jobs_of(settings: "Settings") -> "list[Job]":
    """A row for each model under each setting."""
    names = choose.models(settings.model, settings.family, everything=settings.all)
    return settings.jobs(names, arguments(list(settings.arg)))
