"""Static cost of a model: FLOPs, memory access, traffic, operations and peak activations, from shapes alone."""

from backbone_bench.cost.counter import count

__all__ = ["count"]
