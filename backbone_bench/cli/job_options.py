"""Options that define a row (one job), shared by the commands that run rows; each can also be set in `bench.toml`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from backbone_bench.base.choices import CacheState, EnergyOf, MemoryFormat, Precision, SourceRequest
from backbone_bench.base.errors import UserError

if TYPE_CHECKING:  # it loads pydantic, which `--help` need not wait for
    from backbone_bench.jobs.settings import ResolvedSettings


def _either(choices: object, comma: str = "") -> str:
    """The values of a Literal as text: `a, b or c`; `comma` goes before the `or`."""
    *first, last = get_args(choices)
    return f"{', '.join(first)}{comma} or {last}"


DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        "-d",
        help="auto, cpu, cuda, cuda:1 or any accelerator that torch reports.",
        metavar="DEVICE",
        show_default="auto",
    ),
]
BatchSizesOption = Annotated[
    str | None,
    typer.Option(
        "--batch-size",
        "-b",
        help="Images in one call; auto is the largest power of two that fits.",
        metavar="N|auto",
        show_default="1",
    ),
]
InputSizesOption = Annotated[
    str | None, typer.Option("--input-size", help="Height and width of the image.", metavar="PIXELS")
]
PrecisionsOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help=f"Precision of the arithmetic: {_either(Precision)}.",
        metavar="PRECISION",
        show_default="fp32",
    ),
]
MemoryFormatsOption = Annotated[
    str | None,
    typer.Option(
        "--memory-format",
        help=f"{_either(MemoryFormat)}.",
        metavar="FORMAT",
        show_default="contiguous",
    ),
]
ChannelsLastOption = Annotated[bool, typer.Option("--channels-last", help="Short for --memory-format channels_last.")]
CompileOption = Annotated[
    str | None, typer.Option("--compile", help="Compile with torch.compile in this mode.", metavar="MODE")
]
TrainOption = Annotated[
    bool | None, typer.Option("--train/--no-train", help="A training step: forward and backward, in training mode.")
]
CacheOption = Annotated[
    str | None,
    typer.Option(
        help=f"{_either(CacheState, ',')}: the last-level cache is emptied before every call.",
        metavar="CACHE",
        show_default="warm",
    ),
]
ThreadsOption = Annotated[
    str | None,
    typer.Option(
        "--threads",
        "-t",
        help="CPU threads; auto is torch's choice.",
        metavar="N|auto",
        show_default="auto",
    ),
]
SeedOption = Annotated[
    int | None, typer.Option(help="Random seed of weights and inputs.", metavar="N", show_default="0")
]
LatencyOption = Annotated[bool | None, typer.Option("--latency/--no-latency", help="Whether to measure latency.")]
NoEnergyOption = Annotated[bool, typer.Option("--no-energy", help="Do not measure energy.")]
RequireEnergyOption = Annotated[
    bool, typer.Option("--require-energy", help="Exit with 3 if energy cannot be measured.")
]
EnergyOfOption = Annotated[
    str | None,
    typer.Option(
        "--energy-of",
        help=f"{_either(EnergyOf)}: replays of the call's graph, back to back; or calls whose caller waits for each, "
        "with the idle gaps between them (without a graph: these).",
        metavar="RUNS",
        show_default="graph",
    ),
]
EnergyWindowOption = Annotated[
    float | None, typer.Option("--energy-window", help="Length of one energy window.", metavar="SECONDS")
]
EnergySourceOption = Annotated[
    str | None,
    typer.Option(
        "--energy-source",
        help=f"{_either(SourceRequest)}; auto is the first whose reading changes.",
        metavar="SOURCE",
        show_default="auto",
    ),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        help="paper: also measure energy as the VoVNet paper did (power every 100 ms over images/s, idle included).",
        metavar="PROTOCOL",
        show_default="steady",
    ),
]
WholeCardOption = Annotated[
    bool | None,
    typer.Option("--allow-whole-card/--slice-only", help="On a MIG slice, report the power of the whole card."),
]
LockClocksOption = Annotated[
    str | None,
    typer.Option(
        "--lock-clocks",
        help="Lock the GPU clock during the run and reset it afterwards; needs root.",
        metavar="MHZ|base",
    ),
]
QuickOption = Annotated[
    bool | None, typer.Option("--quick/--no-quick", help="A first result within seconds, marked as quick.")
]
TimedLayersOption = Annotated[
    bool | None,
    typer.Option(
        "--layers/--no-layers",
        help="Also time every operation, in a pass of its own, and show cost and time by module.",
    ),
]
TraceOption = Annotated[
    str | None,
    typer.Option(help="With --layers: write the profile of that pass for Perfetto, of one row.", metavar="FILE"),
]
BudgetOption = Annotated[float | None, typer.Option(help="Time for the latency of each row.", metavar="SECONDS")]
WaitForCoolOption = Annotated[
    float | None,
    typer.Option(
        "--wait-for-cool",
        help="Take samples again that a limit of the card's power or temperature has slowed, after a wait, and for at "
        "most so long in a row.",
        metavar="SECONDS",
    ),
]
TimeoutOption = Annotated[float | None, typer.Option(help="End a row that takes longer than this.", metavar="SECONDS")]


# Parameters whose setting has another name, and parameters that set one setting together with another.
_RENAMED = {"everything": "all", "inputs": "input", "compile_mode": "compile", "whole_card": "allow-whole-card"}
JOINED = frozenset(("models", "channels_last", "no_energy", "require_energy"))


def is_setting(parameter: str) -> bool:
    """Whether a command parameter is also a setting of bench.toml, under its own name or joined with another."""
    from backbone_bench.jobs.settings import NAMES

    return parameter in JOINED or setting_name(parameter) in NAMES


def setting_name(parameter: str) -> str:
    return _RENAMED.get(parameter, parameter.replace("_", "-"))


def settings_in(parameters: Mapping[str, Any]) -> dict[str, object]:
    """The settings that the parameters of a command give. Raises UserError if two of them contradict each other."""
    own = {setting_name(name): value for name, value in parameters.items() if is_setting(name) and name not in JOINED}
    of = parameters.get
    joined = {
        "model": [*(of("models") or ()), *(of("model") or ())],
        "memory-format": _layout(of("memory_format"), channels_last=of("channels_last")),
        "energy": _energy(no=of("no_energy"), required=of("require_energy")),
    }
    switches = {name: own.get(name) or None for name in ("all", "cross-check")}  # False means "not given" here
    return {**own, **joined, **switches}


def _layout(memory_format: str | None, *, channels_last: bool | None) -> str | None:
    if channels_last and memory_format is not None:
        raise UserError("--channels-last and --memory-format both set the memory format: give one of them.")
    return "channels_last" if channels_last else memory_format


def _energy(*, no: bool | None, required: bool | None) -> str | None:
    if no and required:
        raise UserError("--no-energy and --require-energy contradict each other: give one of them.")
    return "off" if no else "required" if required else None


def resolved(options: dict[str, object], *overrides: tuple[str, dict[str, object]]) -> "ResolvedSettings":
    """The settings in force: `overrides` (origin, values) win, then the command line, then environment and files."""
    from backbone_bench.jobs.settings import SettingSource, here, resolve

    given = {name: value for name, value in options.items() if value not in (None, [], ())}
    first = (SettingSource(origin, values) for origin, values in overrides)
    return resolve([*first, SettingSource("command line", given), *here(os.environ, Path.cwd())])
