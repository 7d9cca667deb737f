"""The profiler: turns one job into one record, in this process. Only this package uses every counter and meter."""

from backbone_bench.profiler.pipeline import count, profile, profile_in_turns, resolve

__all__ = ["count", "profile", "profile_in_turns", "resolve"]
