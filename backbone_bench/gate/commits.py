"""Commits of the user's repository: what they are called, and which one divides the others in halves.

git itself chooses by its own rule of `git bisect`, but keeps no state: nothing is written to the repository.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError
from backbone_bench.gate.checkout import commit_of
from backbone_bench.gate.git import git, succeeds
from backbone_bench.records import STRICT

_FORMAT = "%H%x00%P%x00%aI%x00%s"


@dataclass(frozen=True, slots=True, config=STRICT)
class Commit:
    """One commit: its hash, its author's date and its title, and the hashes of its parents."""

    hash: str
    author_date: str  # ISO 8601, with the author's own offset from UTC
    title: str
    parents: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.hash[:9]} ({self.title})"

    @property
    def is_merge(self) -> bool:
        return len(self.parents) > 1


def read(repository: Path, revision: str) -> Commit:
    """The commit that a revision names. Raises UserError if git does not know it."""
    if revision.startswith("-"):
        raise UserError(f"{revision}: a revision cannot begin with a dash.")
    found = git(
        repository, "log", "-1", "--no-show-signature", f"--format={_FORMAT}", commit_of(repository, revision), "--"
    )
    name, parents, author_date, title = found.split("\0")
    return Commit(name, author_date, title, tuple(parents.split()))


def check_order(repository: Path, good: Commit, bad: Commit) -> None:
    """Raise UserError unless the good commit comes before the bad one."""
    if good.hash == bad.hash:
        raise UserError(f"GOOD and BAD are the same commit, {good}: name two.")
    if succeeds(repository, "merge-base", "--is-ancestor", good.hash, bad.hash):
        return
    what = f"{good} does not come before {bad}"
    if succeeds(repository, "merge-base", "--is-ancestor", bad.hash, good.hash):
        raise UserError(f"{what}, but after it: name the older commit first.")
    if git(repository, "rev-parse", "--is-shallow-repository") == "true":
        raise UserError(f"{what} in this shallow clone: fetch the commits between them (git fetch --unshallow).")
    base = f"git merge-base {good.hash[:9]} {bad.hash[:9]}"
    raise UserError(f"{what}: name a commit that both have in common (`{base}` names the newest).")


def dividing(repository: Path, good: Sequence[str], bad: str, *, first_parent: bool) -> list[str]:
    """Hashes of the commits after the good ones and before `bad`, those first that divide them best in halves.

    With `first_parent`, merged branches are left out.
    """
    only = ["--first-parent"] if first_parent else []
    lines = git(repository, "rev-list", "--bisect-all", *only, bad, "--not", *good, "--").splitlines()
    return [name for name in (line.split()[0] for line in lines) if name != bad]
