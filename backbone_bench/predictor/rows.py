"""CalibrationRows of a calibration from records: what was measured, beside the counts of the same workload."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from backbone_bench.base.errors import NotComparable, UserError
from backbone_bench.predictor.calibration import CalibrationConditions, CalibrationOrigin, CalibrationRow
from backbone_bench.predictor.counts import Counts, TimeKind
from backbone_bench.predictor.learn import RowsOf
from backbone_bench.records import Latency, Missing, ModelCost, Record, Workload, known
from backbone_bench.zoo import catalogue

CountWorkload = Callable[[Record], ModelCost]  # counts the workload of a record with this version


def rows_of(name: str, records: Sequence[Record], origin: CalibrationOrigin, count: CountWorkload) -> RowsOf:
    """The rows of records that were measured on one device in one setting.

    A record of a version that did not count shapes is counted again. Raises NotComparable for records of several
    settings, and UserError where there is none, for a training step, and where the count has other FLOPs or operations.
    """
    if not records:
        raise UserError("There are no records to calibrate with.")
    if trained := [record.workload.model for record in records if record.workload.mode != "eval"]:
        raise UserError(f"A calibration is made of evaluation, and {trained[0]} was trained.")
    kind: TimeKind = "wall" if records[0].environment.is_host else "graph"
    conditions = _only(map(conditions_of, records))
    costs = [_cost(record, count) for record in records]
    convolutions = [row for cost in costs for row in cost.by_op if row.is_convolution]
    idle_w = [
        watts
        for record in records
        if not isinstance(record.energy, Missing) and not isinstance(watts := record.energy.idle_w, Missing)
    ]
    return RowsOf(
        name,
        kind,
        origin,
        conditions,
        kinds=tuple(sorted({row.op for cost in costs for row in cost.by_op})),
        groups=max((row.groups or 1 for row in convolutions), default=1),
        rows=tuple(_row(record, cost, kind) for record, cost in zip(records, costs, strict=True)),
        idle_w=statistics.median(idle_w) if idle_w else None,
    )


def conditions_of(record: Record) -> CalibrationConditions:
    """The device and the setting of a record."""
    workload, where = record.workload, record.environment
    gpu = None if where.gpu is None or isinstance(where.gpu, Missing) else where.gpu
    return CalibrationConditions(
        device=where.device_name,
        precision=workload.precision,
        memory_format=workload.memory_format,
        compile=workload.compile,
        counted_in=workload.precision,
        torch=where.torch,
        cpu=None if where.is_host else where.cpu,
        threads=workload.threads if where.is_host else None,
        cuda=where.cuda,
        cudnn=where.cudnn,
        driver=None if gpu is None or isinstance(gpu.driver, Missing) else gpu.driver,
        power_limit_w=None if gpu is None or isinstance(gpu.power_limit_w, Missing) else gpu.power_limit_w,
    )


def time_of(record: Record, kind: TimeKind) -> Latency:
    """The latency that a calibration predicts: device work on a GPU, wall latency on a CPU."""
    return known(record.device_work if kind == "graph" else known(record.latency).wall)


def family_of(workload: Workload) -> str:
    """The family of a network; the second version of one is no family of its own, since the two are much alike."""
    entry = catalogue.entries().get(workload.model)
    return entry.family.removesuffix("v2") if entry else workload.model


def _only(conditions: Iterable[CalibrationConditions]) -> CalibrationConditions:
    different = list(dict.fromkeys(conditions))
    if len(different) > 1:
        one, other = (value.in_words for value in different[:2])
        raise NotComparable(
            f"A calibration is of one device in one setting, and the records have several: {one}; {other}."
        )
    return different[0]


def _cost(record: Record, count: CountWorkload) -> ModelCost:
    """The counts of a record; taken again where it has no shapes of convolutions."""
    cost = known(record.cost)
    if not isinstance(cost.reduction_depth, Missing):
        return cost
    again = count(record)
    if (again.flops, again.ops) != (cost.flops, cost.ops):
        raise UserError(
            f"{record.workload.model}: this version counts {again.flops} FLOPs in {again.ops} operations, and the "
            f"record has {cost.flops} in {cost.ops}: it is of another network."
        )
    return replace(again, shapes_sha256=cost.shapes_sha256)


def row_of(workload: Workload, cost: ModelCost, time_s: float) -> CalibrationRow:
    """A row of the counts and the time of one call."""
    return CalibrationRow(
        model=workload.model,
        family=family_of(workload),
        inputs=workload.inputs,
        batch=workload.batch,
        **Counts.of(cost)._asdict(),
        time_s=time_s,
    )


def _row(record: Record, cost: ModelCost, kind: TimeKind) -> CalibrationRow:
    energy, wall = record.energy, known(record.latency).wall
    return replace(
        row_of(record.workload, cost, time_of(record, kind).median_s),
        shapes_sha256=None if isinstance(cost.shapes_sha256, Missing) else cost.shapes_sha256,
        record=record.id,
        wall_s=wall.median_s if kind == "graph" and not isinstance(wall, Missing) else None,
        image_j=None if isinstance(energy, Missing) else energy.gross_per_image_j,
    )
