"""Cost: counted FLOPs, parameters, memory access, CIO, traffic and operations of a model. Nothing is timed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Literal, NamedTuple

from pydantic import computed_field
from pydantic.dataclasses import dataclass

from backbone_bench.base.identity import Identical
from backbone_bench.records.missing import STRICT, Count, Known, Missing, SignedCount

TrainingPhase = Literal[
    "forward", "backward", "optimizer"
]  # of a training step; a call in evaluation has the first only


@dataclass(frozen=True, slots=True, config=STRICT)
class OpCost:
    """Cost of one kind of operation within one module, in one phase of a call at the workload's batch.

    `access_elems` and `cio_elems` are for batch 1, whatever the workload's batch.
    The last three are None if the operation is not a convolution, and in records
    of versions that did not count them.
    """

    module: str  # dotted path; empty for the model itself
    op: str
    calls: Count
    flops: Known[Count]  # Missing if the operation has no known formula
    access_elems: Count
    cio_elems: Count
    traffic_elems: Count
    traffic_bytes: Count
    phase: TrainingPhase = "forward"
    groups: Count | None = None
    out_elems: Count | None = None  # elements of all outputs, at the workload's batch
    reduction_depth: Count | None = None  # Σ over calls of ci/groups·kh·kw: products in one element of an output

    @property
    def kind(self) -> str:
        """The kind of operation, with its phase if that is neither forward nor in its name."""
        return self.op if self.phase == "forward" or self.op.endswith("_backward") else f"{self.op} ({self.phase})"

    @property
    def is_convolution(self) -> bool:
        """Whether the operation is a convolution of any kind, transposed and deformable ones included."""
        return self.op.removesuffix("_backward").endswith("convolution")


_SET = tuple(getattr(OpCost, field.name).__set__ for field in fields(OpCost))  # slots, in the order of the fields


def counted_row(*values: object) -> OpCost:
    """A row from one value for each field, of which every one is valid: validation takes an eighth of a count."""
    row = OpCost.__new__(OpCost)
    for set_field, value in zip(_SET, values, strict=True):
        set_field(row, value)
    return row


@dataclass(frozen=True, slots=True, config=STRICT)
class Uncounted:
    """An operation with unknown FLOPs, and its share of the model's traffic."""

    op: str
    calls: int
    traffic_share: float


@dataclass(frozen=True, slots=True, config=STRICT)
class ModelCost:
    """Cost of a model: the counted rows in `by_op`, and totals computed from them."""

    params: Count
    params_bytes: Count
    peak_activation_bytes: Known[Count]
    path: Literal["meta", "cpu"]  # where the counting pass ran
    by_op: tuple[OpCost, ...]
    shapes_sha256: Known[str] = Missing("not_read", "not read")  # of the names and shapes of the state dictionary
    varies: bool = False  # the model makes random choices, and another seed than the workload's gives other counts

    @property
    def _totals(self) -> "_Totals":
        return _totals_of(Identical(self.by_op))

    @computed_field
    @property
    def flops(self) -> int:
        """FLOPs of convolutions and matrix products, one per multiply-add; a lower bound if `uncounted` has any."""
        return self._totals.flops

    def flops_of(self, phase: TrainingPhase, chosen: Callable[[OpCost], bool] = lambda row: True) -> int:
        """FLOPs of one phase, of the chosen rows only; 0 if it was not counted."""
        return _known(row for row in self.by_op if row.phase == phase and chosen(row))

    @property
    def has_backward(self) -> bool:
        """Whether it is the cost of a training step; early versions counted the forward pass alone."""
        return any(row.phase == "backward" for row in self.by_op)

    @computed_field
    @property
    def conv_flops(self) -> int:
        return self._totals.conv_flops

    @computed_field
    @property
    def grouped_flops(self) -> Known[int]:
        """FLOPs of convolutions with more than one group, depthwise ones among them."""
        return self._totals.grouped_flops

    @computed_field
    @property
    def reduction_depth(self) -> Known[int]:
        """Σ over convolutions of ci/groups·kh·kw, whatever the batch."""
        return self._totals.reduction_depth

    @computed_field
    @property
    def access_elems(self) -> int:
        """The papers' memory access cost of convolutions and linear layers (VoVNet, Eq. 1), at batch 1."""
        return self._totals.access_elems

    @computed_field
    @property
    def conv_access_elems(self) -> int:
        return self._totals.conv_access_elems

    @computed_field
    @property
    def cio_elems(self) -> int:
        """CIO: inputs and outputs of the convolutions, each at its own size (CSPNet, HarDNet), at batch 1."""
        return self._totals.cio_elems

    @computed_field
    @property
    def traffic_elems(self) -> int:
        """Traffic: elements that all operations read and write."""
        return self._totals.traffic_elems

    @computed_field
    @property
    def traffic_bytes(self) -> int:
        return self._totals.traffic_bytes

    @computed_field
    @property
    def ops(self) -> int:
        """Number of operations that launch work; views launch none."""
        return self._totals.ops

    @computed_field
    @property
    def uncounted(self) -> tuple[Uncounted, ...]:
        return self._totals.uncounted


class _Totals(NamedTuple):
    """The sums over all rows."""

    flops: int
    conv_flops: int
    grouped_flops: Known[int]
    reduction_depth: Known[int]
    access_elems: int
    conv_access_elems: int
    cio_elems: int
    traffic_elems: int
    traffic_bytes: int
    ops: int
    uncounted: tuple[Uncounted, ...]


@lru_cache(256)  # a table asks for each total of a record again and again, and many records share their rows
def _totals_of(by_op: Identical[tuple[OpCost, ...]]) -> _Totals:
    rows = by_op.value
    convolutions = [row for row in rows if row.is_convolution]
    traffic_elems = sum(row.traffic_elems for row in rows)
    return _Totals(
        flops=_known(rows),
        conv_flops=_known(convolutions),
        grouped_flops=_of_shapes(convolutions, lambda row: row.groups != 1, lambda row: row.flops),
        reduction_depth=_of_shapes(convolutions, lambda row: True, lambda row: row.reduction_depth or 0),
        access_elems=sum(row.access_elems for row in rows),
        conv_access_elems=sum(row.access_elems for row in convolutions),
        cio_elems=sum(row.cio_elems for row in rows),
        traffic_elems=traffic_elems,
        traffic_bytes=sum(row.traffic_bytes for row in rows),
        ops=sum(row.calls for row in rows),
        uncounted=tuple(_uncounted(rows, traffic_elems or 1)),
    )


def _of_shapes(
    convolutions: Sequence[OpCost], chosen: Callable[[OpCost], bool], value: Callable[[OpCost], Known[int]]
) -> Known[int]:
    """The sum over the chosen convolutions of a value that depends on their shapes."""
    if any(row.groups is None for row in convolutions):
        return _NO_SHAPES
    return sum(found for row in convolutions if chosen(row) and not isinstance(found := value(row), Missing))


def _uncounted(rows: Iterable[OpCost], traffic_elems: int) -> Iterator[Uncounted]:
    unknown: dict[str, tuple[int, int]] = {}
    for row in rows:
        if isinstance(row.flops, Missing):
            calls, traffic = unknown.get(row.op, (0, 0))
            unknown[row.op] = calls + row.calls, traffic + row.traffic_elems
    for op, (calls, traffic) in unknown.items():
        yield Uncounted(op, calls, traffic / traffic_elems)


_NO_SHAPES = Missing("not_counted", "the version that made this record did not count shapes of convolutions")


def _known(rows: Iterable[OpCost]) -> int:
    return sum(row.flops for row in rows if not isinstance(row.flops, Missing))


@dataclass(frozen=True, slots=True, config=STRICT)
class Difference:
    """One cause why another counter's FLOPs differ from ours, and by how much: its count minus ours."""

    cause: str
    flops: SignedCount


@dataclass(frozen=True, slots=True, config=STRICT)
class CrossCheck:
    """Cross-check: FLOPs of the same model by an independent counter, with the causes of every difference."""

    counter: str  # with its version
    flops: Count
    differences: tuple[Difference, ...]
    residue_flops: SignedCount  # the part of the difference that no cause explains
    twins: Mapping[str, str]  # name of the same network in another library -> verdict of the comparison

    @computed_field
    @property
    def explanation(self) -> str:
        """All differences in one line for people."""
        known = [f"{difference.cause} ({difference.flops:+d})" for difference in self.differences]
        rest = [f"unexplained ({self.residue_flops:+d})"] if self.residue_flops else []
        return "; ".join((*known, *rest, *(f"{name}: {verdict}" for name, verdict in self.twins.items()))) or "the same"
