"""Getters of the values that a column of a table of records shows."""

from collections.abc import Callable
from typing import Any

from backbone_bench.records import Missing, Record, quantities

NumberOrMissing = int | float | Missing


def at(path: str) -> Callable[[Record], Any]:
    """A getter of the value at a dotted path of a record; it returns a `Missing` found on the way."""
    return lambda record: quantities.at(record, path)


def over(
    above: Callable[[Record], NumberOrMissing], below: Callable[[Record], NumberOrMissing]
) -> Callable[[Record], NumberOrMissing]:
    """A getter of one quantity divided by another; missing if either of them is."""

    def divide(record: Record) -> NumberOrMissing:
        numerator, denominator = above(record), below(record)
        if isinstance(numerator, Missing):
            return numerator
        if isinstance(denominator, Missing):
            return denominator
        if not denominator:
            return Missing("zero", "division by zero")
        return numerator / denominator

    return divide
