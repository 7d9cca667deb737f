"""What a live process is asked to do in its turns, and what it answers, as messages.

A live process builds its model, says that it is ready, sleeps until it gets a
burst of calls to make, and so on until it is asked for its record.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import LatencyMode
from backbone_bench.records import STRICT
from backbone_bench.records.missing import Count, MeasuredValue, Times


@dataclass(frozen=True, slots=True, config=STRICT)
class Needs:
    """Reply: the model is counted, and not built yet; what it needs at least, and what its device has left."""

    needed_bytes: Count | None  # None: unknown
    free_bytes: Count | None
    kind: Literal["needs"] = "needs"


@dataclass(frozen=True, slots=True, config=STRICT)
class Build:
    """Request: build the model, warm it up, and reply `Ready`."""

    kind: Literal["build"] = "build"


@dataclass(frozen=True, slots=True, config=STRICT)
class Ready:
    """Reply: the model is warm. The modes in which it can be timed, with about the seconds of a call."""

    call_s: Mapping[LatencyMode, MeasuredValue]
    not_pinned: str | None  # why the process is not on the cores that it was asked to stay on
    kind: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True, config=STRICT)
class Burst:
    """Request: make so many calls in each mode, and reply `Sampled`."""

    discard: Count  # calls before those that are samples
    calls: Mapping[LatencyMode, Count]
    kept: bool = True  # False: a trial, which is not part of the record
    kind: Literal["burst"] = "burst"


@dataclass(frozen=True, slots=True, config=STRICT)
class Sampled:
    """Reply: one burst. The samples themselves stay in the process, for its record."""

    start_s: MeasuredValue  # of the monotonic clock, which all processes of a machine share
    call_s: Mapping[LatencyMode, MeasuredValue]  # mean of the samples
    discarded_s: Times
    cpu_s: MeasuredValue  # CPU time of the calling thread for one call
    minor_faults: Count
    preempted: Count
    kind: Literal["sampled"] = "sampled"


@dataclass(frozen=True, slots=True, config=STRICT)
class Finish:
    """Request: end the bursts, measure what is not measured in turns, and reply with the record."""

    kind: Literal["finish"] = "finish"


TurnRequest = Build | Burst | Finish
TURN_REQUEST: TypeAdapter[TurnRequest] = TypeAdapter(TurnRequest)


class TurnCaller(Protocol):
    """Whoever asks a live process for its bursts: its parent, or a test."""

    def build(self, needs: Needs) -> None:
        """Wait until the model may be built."""

    def next_burst(self, last: Ready | Sampled) -> Burst | None:
        """Wait for the next burst; None when there are no more."""
