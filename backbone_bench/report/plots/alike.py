"""Records that may be compared: those of one environment under the same conditions, and what tells groups apart."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backbone_bench.base.grouping import group_by
from backbone_bench.records import Record
from backbone_bench.report.plots.points import latency_column
from backbone_bench.report.tables.table import Column
from backbone_bench.report.views.conditions import CONDITIONS, conditions, environment_groups


class Alike(NamedTuple):
    """Records of one environment with equal conditions."""

    records: tuple[Record, ...]
    about: str  # the conditions that tell them from the other groups: `batch 32, 3x256x256`

    @property
    def models(self) -> int:
        return len({record.workload.model for record in self.records})

    @property
    def time(self) -> Column[Record]:
        """The latency that plots of these records show."""
        return latency_column(self.records)


def alike(records: Iterable[Record]) -> list[Alike]:
    """Group the records of one environment by conditions; the group with the most networks first."""
    found = (Alike(tuple(group), "") for group in group_by(records, conditions).values())
    return told_apart(sorted(found, key=lambda group: -group.models))


def told_apart(groups: Sequence[Alike]) -> list[Alike]:
    """The groups, named by the conditions in which these groups differ and by no other."""
    firsts = [group.records[0] for group in groups]
    varied = [one for one in CONDITIONS if len({one.text(first) for first in firsts}) > 1]
    return [
        group._replace(about=", ".join(filter(None, (one.in_words(group.records[0]) for one in varied))))
        for group in groups
    ]


def largest(records: Sequence[Record]) -> list[Alike]:
    """The groups of every environment, the group with the most networks first."""
    found = [group for environment in environment_groups(records) for group in alike(environment.records)]
    return told_apart(sorted(found, key=lambda group: -group.models))
