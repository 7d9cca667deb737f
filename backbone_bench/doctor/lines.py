"""One line of a diagnosis."""

from typing import Literal, NamedTuple

from backbone_bench.records import Missing

Grade = Literal["good", "weak", "missing"]


class DoctorLine(NamedTuple):
    """One thing, how well it can be measured, and what would mend it."""

    topic: str
    grade: Grade
    found: str
    remedy: str = ""


def absent(topic: str, missing: Missing, grade: Grade = "missing") -> DoctorLine:
    """A reason as a line: its first sentence says what is wrong, the rest what to do."""
    found, stop, remedy = missing.message.partition(". ")
    return DoctorLine(topic, grade, found + stop.strip(), remedy)
