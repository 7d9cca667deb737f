"""The profiler: turns one job into one record, in this process. Only this package uses every counter and meter."""

from backbone_bench.profiler.pipeline import count, profile, profile_in_turns, resolve
from backbone_bench.profiler.turns import Turns

__all__ = ["Turns", "count", "profile", "profile_in_turns", "resolve"]
