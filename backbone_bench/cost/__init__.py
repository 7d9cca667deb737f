"""What a model costs on paper."""

from backbone_bench.cost.counter import count

__all__ = ["count"]
