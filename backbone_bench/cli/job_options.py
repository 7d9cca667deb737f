"""Options that say what a row is, shared by the commands that run rows; each can also be a setting."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backbone_bench.base.errors import UserError

if TYPE_CHECKING:  # it loads pydantic, which `--help` need not wait for
    from backbone_bench.jobs.settings import ResolvedSettings

_MORE = "`run` takes several with commas: a row for each."

DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        "-d",
        help=f"auto, cpu, cuda, cuda:1 or any accelerator that torch reports. {_MORE}",
        metavar="DEVICE",
        show_default="auto",
    ),
]
BatchSizesOption = Annotated[
    str | None,
    typer.Option(
        "--batch-size",
        "-b",
        help=f"Images in one call; auto is the largest power of two that fits. {_MORE}",
        metavar="N|auto",
        show_default="1",
    ),
]
PrecisionsOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help=f"Precision of the arithmetic: fp32, tf32, fp16, bf16 or amp. {_MORE}",
        metavar="PRECISION",
        show_default="fp32",
    ),
]
MemoryFormatsOption = Annotated[
    str | None,
    typer.Option(
        "--memory-format",
        help=f"contiguous or channels_last. {_MORE}",
        metavar="FORMAT",
        show_default="contiguous",
    ),
]
ChannelsLastOption = Annotated[bool, typer.Option("--channels-last", help="Short for --memory-format channels_last.")]
CompileOption = Annotated[
    str | None, typer.Option("--compile", help="CompileOption with torch.compile in this mode.", metavar="MODE")
]
TrainOption = Annotated[
    bool | None, typer.Option("--train/--no-train", help="Time forward and backward in training mode.")
]
CacheOption = Annotated[
    str | None,
    typer.Option(
        help="warm, or cold: the last cache is emptied before every call.", metavar="CACHE", show_default="warm"
    ),
]
ThreadsOption = Annotated[
    str | None,
    typer.Option(
        "--threads",
        "-t",
        help=f"ThreadsOption of the CPU; auto is as torch chooses. {_MORE}",
        metavar="N|auto",
        show_default="auto",
    ),
]
SeedOption = Annotated[int | None, typer.Option(help="Of weights and inputs.", metavar="N", show_default="0")]
LatencyOption = Annotated[bool | None, typer.Option("--latency/--no-latency", help="Whether to time.")]
NoEnergyOption = Annotated[bool, typer.Option("--no-energy", help="Do not measure energy.")]
RequireEnergyOption = Annotated[bool, typer.Option("--require-energy", help="Exit 3 where energy cannot be measured.")]
EnergyWindowOption = Annotated[
    float | None, typer.Option("--energy-window", help="Seconds of one energy trial.", metavar="SECONDS")
]
EnergySourceOption = Annotated[
    str | None,
    typer.Option(
        "--energy-source",
        help="counter, power_instant, power_usage or rapl; auto is the first that answers and moves.",
        metavar="SOURCE",
        show_default="auto",
    ),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        help="paper: also take energy as the VoVNet paper did (power every 100 ms over images/s, idle included).",
        metavar="PROTOCOL",
        show_default="steady",
    ),
]
WholeCardOption = Annotated[
    bool | None,
    typer.Option("--allow-whole-card/--slice-only", help="Of a MIG slice, give the power of the whole card."),
]
LockClocksOption = Annotated[
    str | None,
    typer.Option(
        "--lock-clocks", help="Hold the GPU's clock while this runs, and free it again; needs root.", metavar="MHZ|base"
    ),
]
QuickOption = Annotated[
    bool | None, typer.Option("--quick/--no-quick", help="A first answer within seconds, said to be one.")
]
BudgetOption = Annotated[float | None, typer.Option(help="Seconds for the latency of each row.", metavar="SECONDS")]
TimeoutOption = Annotated[float | None, typer.Option(help="Seconds that a row may take in all.", metavar="SECONDS")]


# Parameters whose settings have other names, and those that say one thing together with another.
_RENAMED = {"everything": "all", "inputs": "input", "compile_mode": "compile", "whole_card": "allow-whole-card"}
JOINED = frozenset(("models", "channels_last", "no_energy", "require_energy"))


def is_setting(parameter: str) -> bool:
    """Whether a parameter of a command can also stand in bench.toml, under its own name or together with another."""
    from backbone_bench.jobs.settings import NAMES

    return parameter in JOINED or setting_name(parameter) in NAMES


def setting_name(parameter: str) -> str:
    return _RENAMED.get(parameter, parameter.replace("_", "-"))


def settings_in(parameters: Mapping[str, Any]) -> dict[str, object]:
    """The settings that the parameters of a command ask for; raise UserError where two contradict each other."""
    told = {setting_name(name): value for name, value in parameters.items() if is_setting(name) and name not in JOINED}
    of = parameters.get
    joined = {
        "model": [*(of("models") or ()), *(of("model") or ())],
        "memory-format": _layout(of("memory_format"), channels_last=of("channels_last")),
        "energy": _energy(no=of("no_energy"), required=of("require_energy")),
    }
    switches = {name: told.get(name) or None for name in ("all", "cross-check")}  # not given is not said
    return {**told, **joined, **switches}


def _layout(memory_format: str | None, *, channels_last: bool | None) -> str | None:
    if channels_last and memory_format is not None:
        raise UserError("--channels-last and --memory-format say the same thing twice: give one.")
    return "channels_last" if channels_last else memory_format


def _energy(*, no: bool | None, required: bool | None) -> str | None:
    if no and required:
        raise UserError("--no-energy and --require-energy contradict each other.")
    return "off" if no else "required" if required else None


def resolved(words: dict[str, object], *nearer: tuple[str, dict[str, object]]) -> "ResolvedSettings":
    """The settings in force: what `nearer` places say, then the command line's words, then what is set elsewhere."""
    from backbone_bench.jobs.settings import SettingSource, here, resolve

    given = {name: value for name, value in words.items() if value not in (None, [], ())}
    said = (SettingSource(place, own) for place, own in nearer)
    return resolve([*said, SettingSource("command line", given), *here(os.environ, Path.cwd())])
