"""The column with the grade of each record."""

from collections.abc import Callable, Iterable

from backbone_bench.records import Record
from backbone_bench.records.flags import glossary
from backbone_bench.records.grade import Graded, graded
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views.conditions import measured

GRADE = "grade"


def grade_column(
    shared: frozenset[str] = frozenset(),
    grade_of: Callable[[Record], Graded] = graded,
    explained: Iterable[str] = (),
) -> Column[Record]:
    """The grade of each row with its reasons, except those that all rows share; `explained`: more words to explain."""
    more = sorted(explained)

    def grade(record: Record) -> str:
        return grade_of(record).without(shared) if measured(record) else ""

    return Column(GRADE, "grade", grade, glossary=lambda texts: glossary((*more, *texts)))
