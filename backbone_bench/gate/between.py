"""Compare commits of the user's repository, each in a checkout of its own: the history that `bisect` searches."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from backbone_bench.base.errors import UserError
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.gate import commits, comparisons, sides
from backbone_bench.gate.bisect import Looked
from backbone_bench.gate.checkout import Checkout, changed_dependencies, worktree
from backbone_bench.gate.commits import Commit
from backbone_bench.gate.session import GateRules
from backbone_bench.gate.sides import Begin, Jobs
from backbone_bench.gate.verdicts import GateReport
from backbone_bench.jobs.job import Job
from backbone_bench.records import matching
from backbone_bench.run import runner
from backbone_bench.run.messages import Failed
from backbone_bench.run.runner import JobResult, RunJob
from backbone_bench.versus.rounds import FreshRounds, TakeRound

TakeBetween = Callable[[Commit, Commit], AbstractContextManager[TakeRound]]  # base and head, while they are checked out


@dataclass(frozen=True, slots=True)
class Commits:
    """The commits of a repository, and the jobs and rules to compare them by."""

    repository: Path
    jobs: Jobs
    rules: GateRules
    take: TakeBetween
    begin: Begin
    first_parent: bool = True
    models: dict[str, str] = field(default_factory=dict)  # of the subjects of findings

    def dividing(self, good: Collection[str], bad: str) -> list[str]:
        """See `commits.dividing`."""
        return commits.dividing(self.repository, list(good), bad, first_parent=self.first_parent)

    def commit(self, name: str) -> Commit:
        """The commit of a hash."""
        return commits.read(self.repository, name)

    def compare(self, base: Commit, head: Commit) -> GateReport:
        """Compare two commits by the rule of the gate."""
        with self.take(base, head) as take_round:
            compared = comparisons.revisions(self.jobs, self.rules, take_round, str(base), self.begin)
        for record in compared.heads:
            for subject in (matching.subject(record.workload), matching.subject_on_paper(record.workload)):
                self.models[subject] = record.workload.model
        return GateReport(str(base), str(head), tuple(compared.findings), tuple(compared.remarks))

    def narrowed(self, looked: Collection[Looked]) -> "Commits":
        """The same commits with the jobs alone that are looked at."""
        models = {self.models[one.subject] for one in looked}
        return replace(self, jobs={name: job for name, job in self.jobs.items() if job.model in models})


class Checkouts:
    """Checkouts of commits, made when they are needed: one stays, the others end with their step."""

    def __init__(self, repository: Path, kept: Commit, whole: ExitStack, say: Callable[[str], None]) -> None:
        self._repository, self._kept, self._whole, self._say = repository, kept, whole, say
        self._open: dict[str, Checkout] = {}

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step: at its end all checkouts but the kept one are removed."""
        with ExitStack() as self._step:
            yield
        self._open = {name: at for name, at in self._open.items() if name == self._kept.hash}

    def of(self, commit: Commit) -> Checkout:
        """The checkout of a commit, for the current step."""
        if commit.hash not in self._open:
            stack = self._whole if commit == self._kept else self._step
            at = stack.enter_context(worktree(self._repository, str(commit), commit.hash))
            self._open[commit.hash] = at
            if others := changed_dependencies(at):
                self._say(
                    f"{commit} asks for other packages ({', '.join(others)}), and runs with those installed here."
                )
        return self._open[commit.hash]


@dataclass(frozen=True, slots=True)
class CountedBetween:
    """Rounds of counts, which are exact: each commit counts each job once, however often it is compared."""

    checkouts: Checkouts
    timeout_s: float | None
    counted: dict[tuple[str, str], JobResult] = field(default_factory=dict)

    @contextmanager
    def __call__(self, base: Commit, head: Commit) -> Iterator[TakeRound]:
        with self.checkouts.step():
            yield FreshRounds([self._run(base), self._run(head)])

    def _run(self, commit: Commit) -> RunJob:
        def run(job: Job, on_progress: ProgressCallback) -> JobResult:
            key = (commit.hash, repr(job))
            if key not in self.counted:
                self.counted[key] = _run_at(self.checkouts.of(commit), self.timeout_s)(job, on_progress)
            return self.counted[key]

        return run


@dataclass(frozen=True, slots=True)
class MeasuredBetween:
    """Rounds of measurements: processes of both commits are alive together and take turns."""

    checkouts: Checkouts
    timeout_s: float | None
    say: Callable[[str], None]

    @contextmanager
    def __call__(self, base: Commit, head: Commit) -> Iterator[TakeRound]:
        with self.checkouts.step():
            older, newer = self.checkouts.of(base), self.checkouts.of(head)
            if _has_folder(older) and _has_folder(newer):
                yield sides.between(older, newer, self.timeout_s, self.say)
            else:
                yield FreshRounds([_run_at(at, self.timeout_s) for at in (older, newer)])


def _run_at(at: Checkout, timeout_s: float | None) -> RunJob:
    """A function that runs jobs in a checkout; each fails if the checkout lacks the folder that this process is in."""
    if _has_folder(at):
        return runner.isolated(timeout_s, sides.worker(at))
    absent = Failed(f"there is no folder {at.place(Path.cwd()).relative_to(at.root)}", UserError.exit_code)
    return lambda job, _on_progress: JobResult(job, None, absent)


def _has_folder(at: Checkout) -> bool:
    return at.place(Path.cwd()).is_dir()
