"""Run many comparisons: those that can share live processes do; a failure costs its comparison only.

Every record is kept as soon as its round is over.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.base.signals import Interrupted, deferred
from backbone_bench.jobs.job import Job
from backbone_bench.records import Record
from backbone_bench.versus import rotations as grouping
from backbone_bench.versus.compare import AskedPair, compare_rotating
from backbone_bench.versus.rounds import TakeRound
from backbone_bench.versus.rule import By, ComparisonQuestion


class ComparisonJob(NamedTuple):
    """A comparison to run: its title, both jobs and the question."""

    title: str
    sides: tuple[Job, Job]
    question: ComparisonQuestion


class Rotation(NamedTuple):
    """Comparisons that share their rounds: the different jobs, and the places of the comparisons in the series."""

    jobs: list[Job]
    members: list[int]

    def __str__(self) -> str:
        return f"{len(self.jobs)} processes in turn, {len(self.members)} comparison{'s' * (len(self.members) > 1)}"


class SeriesEnd(NamedTuple):
    """How a series ended: places of the comparisons that are over, failures, and what ended it early."""

    over: tuple[int, ...]
    failures: tuple[str, ...]  # a sentence for each comparison that failed
    by: Interrupted | UserError | None = None

    @property
    def exit_code(self) -> int:
        if self.by is not None:
            return self.by.exit_code
        return CouldNotMeasure.exit_code if self.failures else 0


def rotations(comparisons: Sequence[ComparisonJob]) -> list[Rotation]:
    """Put comparisons of time together, so that each network runs in few rotations; one of energy stands alone."""
    jobs: list[Job] = []
    for one in comparisons:
        jobs = _added(jobs, one.sides)
    places = [_places(jobs, one.sides) for one in comparisons]
    timed = [number for number, one in enumerate(comparisons) if one.question.by != "energy"]
    groups = [[number] for number in range(len(comparisons)) if number not in timed]
    groups += [
        [timed[member] for member in members]
        for members in grouping.packed([places[number] for number in timed], grouping.MOST_LIVE)
    ]
    return [
        Rotation([jobs[place] for place in sorted({place for number in group for place in places[number]})], group)
        for group in sorted(groups)
    ]


def _added(jobs: Sequence[Job], more: Sequence[Job]) -> list[Job]:
    """The jobs, each once; a comparison of a job with itself needs two of it."""
    added = list(jobs)
    for job in more:
        if added.count(job) < max(1, more.count(job)):
            added.append(job)
    return added


def run_all(
    comparisons: Sequence[ComparisonJob],
    rounds_of: Callable[[By], TakeRound],
    begin: Callable[[int, int, str], ProgressCallback],
    keep: Callable[[Record], None],
) -> SeriesEnd:
    """Run the comparisons; `begin` gets number, count and title of each rotation, `keep` every record.

    A UserError of `keep` (a full disk) ends the series as a signal does.
    """
    over: list[int] = []
    failures: list[str] = []
    kept, planned = deferred()(keep), rotations(comparisons)
    try:
        for number, rotation in enumerate(planned, start=1):
            members = [comparisons[place] for place in rotation.members]
            title = members[0].title if len(members) == 1 else str(rotation)
            take = rounds_of(members[0].question.by)
            asked = [AskedPair(*_places(rotation.jobs, one.sides), one.question) for one in members]
            found = compare_rotating(rotation.jobs, asked, begin(number, len(planned), title), take, kept)
            for one, result in zip(members, found, strict=True):
                if isinstance(result, CouldNotMeasure):
                    failures.append(f"{one.title}: {result}")
            over += rotation.members
    except (Interrupted, UserError) as ended:
        return SeriesEnd(tuple(over), tuple(failures), ended)
    return SeriesEnd(tuple(over), tuple(failures))


def _places(jobs: Sequence[Job], sides: tuple[Job, Job]) -> tuple[int, int]:
    a, b = sides
    first = jobs.index(a)
    return first, jobs.index(b, first + 1) if a == b else jobs.index(b)
