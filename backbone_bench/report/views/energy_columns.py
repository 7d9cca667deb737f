"""The columns of energy, one line each: what stands behind the energy per image."""

from collections.abc import Mapping

from backbone_bench.base.units import MILLIJOULES, PERCENT
from backbone_bench.records import Missing, Record
from backbone_bench.report.tables.table import Bounds, CellValue, Column
from backbone_bench.report.views.getters import at

_HALF_WIDTH = "energy ±: half of the 95 % confidence interval, as a share of the mean."
_RUNS = {
    "graph": "Energy is that of replays of the call's graph, back to back.",
    "wall": "Energy is that of a caller who waits for each call: what the device draws in the gaps is included.",
}
_PAPER = (
    "paper's protocol: mean power, read every 100 ms, divided by images/s; idle power is included "
    "(VoVNet, section 4.1)."
)


def interval(record: Record) -> Bounds | Missing:
    """The interval of the gross energy per image, by the spread of its trials."""
    value, share = at("energy.gross_per_image_j")(record), at("energy.repeat_relative")(record)
    if isinstance(value, Missing):
        return value
    return share if isinstance(share, Missing) else (value * (1 - share), value * (1 + share))


def _of_which_runs(record: Record) -> CellValue:
    """The runs that the energy is of."""
    return record.energy_mode


# By the key of the quantity that they stand behind.
BEHIND: Mapping[str, tuple[Column[Record], ...]] = {
    "gross_per_image_j": (
        Column(
            "energy_half_width",
            "energy ±",
            at("energy.repeat_relative"),
            PERCENT,
            remark=_HALF_WIDTH,
            part_of="gross_per_image_j",
        ),
        Column(
            "energy_runs",
            "energy of",
            _of_which_runs,
            part_of="gross_per_image_j",
            if_shared=lambda runs: _RUNS[runs],
        ),
        Column(
            "paper_per_image_j",
            "energy per image, paper's protocol",
            at("energy.paper.per_image_j"),
            MILLIJOULES,
            "less",
            remark=_PAPER,
            part_of="gross_per_image_j",
        ),
    ),
}
