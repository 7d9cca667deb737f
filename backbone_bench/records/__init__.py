"""The record of one profile of one model, as data; `record.Record` is the whole.

Names carry their unit, values are in base units, raw observations are kept.
A derived value is a property: it is written for readers and never read back.
What was not measured is a `Missing` with its reason, never 0, -1 or an absent
key; `None` means that the question does not apply (no compile mode, say).
"""

from backbone_bench.records.cost import CrossCheck, Difference, ModelCost, OpCost, TrainingPhase, Uncounted
from backbone_bench.records.energy import CardActivity, Energy, EnergyTrial, PaperEnergy
from backbone_bench.records.environment import Environment, Gpu
from backbone_bench.records.flags import FLAGS, Flag, meanings
from backbone_bench.records.latency import CLOCK_TOO_COARSE, EAGER_EVENTS, Cooling, Latencies, Latency, WarmUp
from backbone_bench.records.layers import Ceilings, LayerTimes, OpTime
from backbone_bench.records.missing import NOT_REQUESTED, PENDING, STRICT, Known, Missing, known, was_requested
from backbone_bench.records.placement import Placement
from backbone_bench.records.record import SCHEMA_VERSION, Memory, ModelCommit, Rate, Rates, Record, Tool, Watch
from backbone_bench.records.setting import Scalar, Setting
from backbone_bench.records.turn import LiveTurns, Turn
from backbone_bench.records.workload import ModelSource, TensorSpec, Workload, source_of

__all__ = [
    "CLOCK_TOO_COARSE",
    "EAGER_EVENTS",
    "FLAGS",
    "NOT_REQUESTED",
    "PENDING",
    "SCHEMA_VERSION",
    "STRICT",
    "CardActivity",
    "Ceilings",
    "Cooling",
    "CrossCheck",
    "Difference",
    "Energy",
    "EnergyTrial",
    "Environment",
    "Flag",
    "Gpu",
    "Known",
    "Latencies",
    "Latency",
    "LayerTimes",
    "LiveTurns",
    "Memory",
    "Missing",
    "ModelCommit",
    "ModelCost",
    "ModelSource",
    "OpCost",
    "OpTime",
    "PaperEnergy",
    "Placement",
    "Rate",
    "Rates",
    "Record",
    "Scalar",
    "Setting",
    "TensorSpec",
    "Tool",
    "TrainingPhase",
    "Turn",
    "Uncounted",
    "WarmUp",
    "Watch",
    "Workload",
    "known",
    "meanings",
    "source_of",
    "was_requested",
]  # fmt: skip
