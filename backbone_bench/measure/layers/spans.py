"""Which module asked for an operation, and what the operation took: read from the nested spans of a profile.

A span lasts from the begin to the end of something that the host did: a module's
`forward`, an operation, or an operation within it. The outermost operation of a
module is the one that counts, with all that happens within it. An operation of
the backward pass belongs to the module whose forward pass made it necessary.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backbone_bench.records.layers import SHORT_S, OpTime

MODULE = "bench:"  # begins the name of a span that is a module's `forward`
_BACKWARD = "autograd::engine::evaluate_function: "
_OPERATION = "aten::"
_COMPILED = "Torch-Compiled Region"
# Names of torch's functions where the counter has others.
_NAMES = {f"{name}{n}d": "convolution" for name in ("conv", "conv_transpose") for n in (1, 2, 3)}


class HostSpan(NamedTuple):
    """One span, with the kernels that it launched itself and the spans within it."""

    name: str
    duration_s: float
    kernels_s: tuple[float, ...] = ()
    children: tuple["HostSpan", ...] = ()
    sequence: int = -1  # the same for an operation and its part of the backward pass; -1: none


@dataclass(slots=True)
class Work:
    """What operations took: their time, and how many launches there were, short ones apart."""

    time_s: float = 0.0
    launches: int = 0
    short_launches: int = 0
    short_s: float = 0.0

    def add(self, seconds: Iterable[float]) -> None:
        for one_s in seconds:
            self.time_s += one_s
            self.launches += 1
            if one_s < SHORT_S:
                self.short_launches += 1
                self.short_s += one_s


class Attribution(NamedTuple):
    """The work of all spans by module and operation, in the order of first use."""

    work: Mapping[tuple[str, str], Work]
    launched_s: float  # time of all kernels that a span launched


def attributed(roots: Sequence[HostSpan], *, by_kernels: bool) -> Attribution:
    """Sum the time of the outermost operations by module and kind: that of their kernels, or their own."""
    work: dict[tuple[str, str], Work] = defaultdict(Work)
    for module, span in _operations(roots):
        taken = [one_s for inner in _all(span) for one_s in inner.kernels_s] if by_kernels else [span.duration_s]
        work[module, _kind(span.name)].add(taken)
    return Attribution(work, sum(one_s for root in roots for span in _all(root) for one_s in span.kernels_s))


def _operations(roots: Sequence[HostSpan]) -> Iterator[tuple[str, HostSpan]]:
    """The outermost operations with the module of each, in order of time."""
    made_by: dict[int, str] = {}
    pending = [("", root) for root in reversed(roots)]
    while pending:
        module, span = pending.pop()
        if span.name.startswith(MODULE):
            module = span.name.removeprefix(MODULE)
        elif span.name.startswith(_BACKWARD):
            module = made_by.get(span.sequence, "")
        elif span.name.startswith((_OPERATION, _COMPILED)):
            made_by |= {inner.sequence: module for inner in _all(span) if inner.sequence >= 0}
            yield module, span
            continue
        pending += [(module, child) for child in reversed(span.children)]


def _all(span: HostSpan) -> Iterator[HostSpan]:
    """The span and all within it."""
    pending = [span]
    while pending:
        one = pending.pop()
        yield one
        pending += one.children


def _kind(name: str) -> str:
    if name.startswith(_COMPILED):
        return "compiled region"
    kind = name.removeprefix(_OPERATION).rstrip("_")
    return _NAMES.get(kind, kind)


def per_call(found: Attribution, calls: int, forms: Mapping[str, str]) -> tuple[OpTime, ...]:
    """The rows of one call of several; `forms` are the kernels of convolution modules."""
    return tuple(
        OpTime(
            module,
            op,
            forms.get(module) if op.startswith("convolution") else None,
            one.time_s / calls,
            round(one.launches / calls),
            round(one.short_launches / calls),
            one.short_s / calls,
        )
        for (module, op), one in found.work.items()
    )
