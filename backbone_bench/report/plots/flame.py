"""Flame charts: the time of one call by module, level by level, with the operations in the lowest row.

A module lies below the one that holds it and is as wide as its time. The order
is that of first use. The colour of a module is that of the kind of operation in
which it spends most time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from backbone_bench.records import LayerTimes, Record
from backbone_bench.report.drawing.plot import Axis, BarSegment, Panel, Plot
from backbone_bench.report.plots.kinds import COLOURS, REST, STYLES
from backbone_bench.report.views.times import TimedOp, joined, time_sentence

LEVELS = 4  # of modules; what lies deeper belongs to its ancestor


class _Piece(NamedTuple):
    """An operation with its place on the time axis, in milliseconds."""

    op: TimedOp
    path: tuple[str, ...]
    start: float
    end: float
    kind: str


def flames(records: Iterable[Record], caption: str) -> list[Plot]:
    """Make a flame chart of each record whose layers were timed."""
    timed = [(record, record.layer_times) for record in records]
    return [_flame(record, times, caption) for record, times in timed if isinstance(times, LayerTimes)]


def _flame(record: Record, times: LayerTimes, caption: str) -> Plot:
    pieces = _pieces([op for op in joined(record) if op.time is not None and op.time.time_s])
    depth = min(LEVELS, max((len(piece.path) for piece in pieces), default=0))
    bars = [*(bar for level in range(depth) for bar in _modules(pieces, level)), *_operations(pieces, depth)]
    rows = (*(f"level {level + 1}" for level in range(depth)), "operation")
    panel = Panel("", Axis("time of one call (ms)", from_zero=True), Axis(""), bars=tuple(bars), rows=rows)
    title = f"{record.workload.model}: where the time of a call goes"
    text = f"{time_sentence(record, times)} {caption}"
    return Plot("flame", title, text, (panel,), order=(*STYLES, REST), fixed=STYLES)


def _pieces(ops: Sequence[TimedOp]) -> list[_Piece]:
    """The operations side by side; those of one module lie together, modules in the order of first use."""
    first: dict[tuple[str, ...], int] = {}
    paths = [tuple(op.module.split(".")) if op.module else () for op in ops]
    for path in paths:
        for length in range(len(path) + 1):
            first.setdefault(path[:length], len(first))
    ordered = sorted(zip(paths, ops, strict=True), key=lambda one: [first[one[0][: n + 1]] for n in range(len(one[0]))])
    longest = Counter[str]()
    for op in ops:
        longest[op.label] += _ms(op)  # type: ignore[assignment]
    shown = {kind for kind, _ in longest.most_common(COLOURS)}
    pieces, at = [], 0.0
    for path, op in ordered:
        pieces.append(_Piece(op, path, at, at + _ms(op), op.label if op.label in shown else REST))
        at += _ms(op)
    return pieces


def _ms(op: TimedOp) -> float:
    return 0.0 if op.time is None else 1e3 * op.time.time_s


def _modules(pieces: Sequence[_Piece], level: int) -> Iterator[BarSegment]:
    """The modules of one level: neighbours that share so much of their path are one."""
    for path, members in groupby(pieces, lambda piece: piece.path[: level + 1]):
        if len(path) <= level:
            continue
        within = list(members)
        kinds = Counter[str]()
        for piece in within:
            kinds[piece.kind] += piece.end - piece.start  # type: ignore[assignment]
        (kind, _), *_ = kinds.most_common(1)
        yield _bar(level, within, kind, ".".join(path), path[-1])


def _operations(pieces: Sequence[_Piece], row: int) -> Iterator[BarSegment]:
    for piece in pieces:
        yield _bar(row, [piece], piece.kind, f"{piece.op.module or '(itself)'}\n{piece.op.label}", piece.op.label)


def _bar(row: int, pieces: Sequence[_Piece], kind: str, name: str, label: str) -> BarSegment:
    start, end = pieces[0].start, pieces[-1].end
    return BarSegment(row, start, end, kind, f"{name}\n{end - start:.4g} ms", label=label)
