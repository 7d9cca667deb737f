"""Energy of the CPU packages from RAPL, the counter that Linux exposes in /sys/class/powercap."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backbone_bench.base.choices import SourceName
from backbone_bench.measure.energy.sources import Meter, NoCounters
from backbone_bench.measure.protocols import Clock, SourceFailed
from backbone_bench.records import Known, Missing

ZONES = "sys/class/powercap"
NO_TEMPERATURE = Missing("no_temperature", "RAPL reports no temperature.")
_NO_COUNTERS = NoCounters(Missing("no_card", "A processor has no counters of its activity that are read here."))
NO_ERROR_KNOWN = Missing("no_accuracy", "The error of RAPL on this processor is not documented.")


@dataclass(slots=True)
class Zone:
    """Energy counter of one package. It wraps at `range_j`, after minutes or hours, so it must be read more often."""

    path: Path
    range_j: float
    total_j: float = 0.0
    last_j: float | None = None

    def read_j(self) -> float:
        """Joules since the first reading, corrected for wraps."""
        now_j = int((self.path / "energy_uj").read_text()) / 1e6
        if self.last_j is not None:
            self.total_j += (now_j - self.last_j) % self.range_j
        self.last_j = now_j
        return self.total_j


@dataclass(frozen=True, slots=True)
class Rapl:
    """Energy counter of all packages together."""

    zones: tuple[Zone, ...]
    name: SourceName = "rapl"
    unit: Literal["J", "W"] = "J"
    period_s: float | None = None
    averaging_s: float | None = None
    relative_error: Known[float] = NO_ERROR_KNOWN

    def read(self) -> float:
        try:
            return sum(zone.read_j() for zone in self.zones)
        except OSError as error:
            raise SourceFailed(Missing("rapl_failed", f"RAPL cannot be read: {error.strerror}.")) from None
        except ValueError:
            raise SourceFailed(Missing("rapl_failed", "RAPL cannot be read: it gives no number.")) from None


def packages(root: Path = Path("/")) -> Known[tuple[Zone, ...]]:
    """Energy counters of the CPU packages; Missing with the reason if they cannot be read.

    Only `intel-rapl` zones with a name that starts with `package` are used, on AMD too. The parts of a package, `psys`
    and the `intel-rapl-mmio` zones count the same joules again.
    """
    paths = sorted((root / ZONES).glob("intel-rapl:*"))
    zones = [path for path in paths if _text(path / "name").startswith("package")]
    if not zones:
        return Missing(
            "rapl_missing",
            f"There is no energy counter of the CPU under /{ZONES}. "
            "Measure on the host itself: a virtual machine or container hides the counter.",
        )
    try:
        return tuple(_zone(path) for path in zones)
    except PermissionError:
        return Missing(
            "rapl_no_permission",
            f"Only root may read the energy counter of the CPU. Run: sudo chmod a+r /{ZONES}/intel-rapl:*/energy_uj "
            "(lasts until the next boot).",
        )
    except (OSError, ValueError):
        return Missing(
            "rapl_unreadable",
            f"The energy counter of the CPU under /{ZONES} gives no number. Nothing to do on this machine.",
        )


def _zone(path: Path) -> Zone:
    int((path / "energy_uj").read_text())  # fails here, not in the middle of a window
    return Zone(path, int(_text(path / "max_energy_range_uj")) / 1e6)


def _text(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def host_meter(clock: Clock, root: Path = Path("/")) -> Known[Meter]:
    """Power meter of the CPU packages; Missing with the reason if there is none."""
    zones = packages(root)
    return zones if isinstance(zones, Missing) else Meter((Rapl(zones),), clock, lambda: NO_TEMPERATURE, _NO_COUNTERS)
