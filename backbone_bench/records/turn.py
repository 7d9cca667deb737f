"""How a process ran within a comparison: its round and side, and the turns that it took beside the other processes."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import Allocator
from backbone_bench.records.missing import STRICT, Count, Known, Times


@dataclass(frozen=True, slots=True, config=STRICT)
class Turn:
    """Side and round of a record in a comparison: the sides of a round were alive together, or ran one by one."""

    comparison: str  # the same in all records of the comparison
    round: Annotated[int, Field(ge=1)]
    side: Annotated[str, Field(pattern="^[A-Z]+$")]


@dataclass(frozen=True, slots=True, config=STRICT)
class LiveTurns:
    """The bursts of calls that a process made while the other processes of its round were alive and asleep.

    One value per burst, in order. The samples of the bursts are those of the latencies.
    """

    processes: Annotated[int, Field(ge=2)]  # of the round, this one included
    seed: Count  # of the coin that decides the order of the sides
    allocator: Allocator
    cores: Known[tuple[Count, ...]]  # those of every process of the round
    discard: Count  # calls at the start of each burst that are no samples
    start_s: Times  # since the first burst of the round
    discarded_s: Times  # wall time of the calls that are no samples
    cpu_s: Times  # CPU time of the calling thread for one call, the mean of the burst
    minor_faults: tuple[Count, ...]
    preempted: tuple[Count, ...]  # involuntary context switches
