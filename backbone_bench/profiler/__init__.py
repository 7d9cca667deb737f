"""One job becomes one record, in this process: the only room that knows every counter and meter."""

from backbone_bench.profiler.pipeline import count, profile, resolve

__all__ = ["count", "profile", "resolve"]
