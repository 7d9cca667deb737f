"""The profiler: turns one job into one record, in this process. Only this package uses every counter and meter."""

from backbone_bench.profiler.pipeline import count, profile, resolve

__all__ = ["count", "profile", "resolve"]
