"""Lines of a diagnosis."""

from typing import Literal, NamedTuple

from backbone_bench.records import Missing

Grade = Literal["good", "weak", "missing"]


class DoctorLine(NamedTuple):
    """One line of a diagnosis: a topic, its grade, the finding, and the remedy if there is one."""

    topic: str
    grade: Grade
    found: str
    remedy: str = ""


def missing_line(topic: str, missing: Missing, grade: Grade = "missing") -> DoctorLine:
    """Line for a Missing: the first sentence of its message is the finding, the rest is the remedy."""
    found, stop, remedy = missing.message.partition(". ")
    return DoctorLine(topic, grade, found + stop.strip(), remedy)
