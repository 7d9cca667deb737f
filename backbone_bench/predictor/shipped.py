"""The calibrations that are shipped, and the choice of one by a device's name or a file, and by a setting."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from backbone_bench.base.choices import MemoryFormat, Precision
from backbone_bench.base.errors import UserError, did_you_mean, visible
from backbone_bench.predictor.calibration import DeviceCalibration, loads


class AskedSetting(NamedTuple):
    """The setting that predictions are asked for; None where any will do."""

    precision: Precision | None = None
    memory_format: MemoryFormat | None = None
    compile: str | None = None


ANY_SETTING = AskedSetting()


class Chosen(NamedTuple):
    """A calibration, and in which of the asked conditions it differs from what was asked."""

    calibration: DeviceCalibration
    outside: tuple[str, ...] = ()


@cache
def shipped() -> tuple[DeviceCalibration, ...]:
    """The calibrations in the package, by file name."""
    folder = resources.files("backbone_bench.predictor") / "calibrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(loads(file.read_text(encoding="utf-8"), file.name) for file in files)


def choose(on: str, asked: AskedSetting = ANY_SETTING) -> Chosen:
    """The calibration of a device, by its name or from a TOML file, that has the asked setting.

    Where several have it, eager in fp32 and contiguous come first. Where none has it, the answer is the first of the
    device, and says what is outside. Raises UserError for a device without calibrations.
    """
    known = _read(Path(on)) if on.endswith(".toml") else [one for one in shipped() if one.name == on]
    if not known:
        names = dict.fromkeys(one.name for one in shipped())
        hint = did_you_mean(on, names, f"There are {', '.join(names)}.")
        raise UserError(
            f"No calibration is shipped for {visible(on)!r}. {hint} `bench calibrate` makes one of the device at hand."
        )
    ordered = sorted(known, key=_unusual)
    fitting = [one for one in ordered if not _differences(one, asked)]
    if fitting:
        return Chosen(fitting[0])
    differences = "; ".join(_differences(ordered[0], asked))
    has = "; ".join(one.conditions.setting for one in ordered)
    return Chosen(ordered[0], (f"{differences} (calibrated for {on} are: {has})",))


def _read(path: Path) -> Sequence[DeviceCalibration]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text: a calibration is TOML, as `bench calibrate` writes it.") from None
    return [loads(text, str(path))]


def _unusual(calibration: DeviceCalibration) -> tuple[bool, bool, bool]:
    where = calibration.conditions
    return where.compile is not None, where.memory_format != "contiguous", where.precision != "fp32"


def _differences(calibration: DeviceCalibration, asked: AskedSetting) -> list[str]:
    """What was asked and is not the calibration's."""
    where = calibration.conditions
    pairs = (
        ("precision", asked.precision, where.precision),
        ("memory format", asked.memory_format, where.memory_format),
        ("compile mode", asked.compile, where.compile),
    )
    return [f"{name} {value}" for name, value, own in pairs if value is not None and value != own]
