"""Check out another revision of the user's repository into a temporary git worktree.

Both sides run in one environment: interpreter and packages are shared. On the
import path of the base, every folder of the repository is replaced by the same
folder of the checkout.
"""

import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from backbone_bench.base.errors import UserError, visible
from backbone_bench.base.signals import deferred
from backbone_bench.gate import ci
from backbone_bench.gate.git import git, succeeds

# Files that declare dependencies; pyproject.toml does too, but holds other settings as well: see `_declared`.
_DEPENDENCIES = (
    "setup.py", "setup.cfg", "requirements*.txt", "requirements*.in", "constraints*.txt", "environment*.yml",
    "environment*.yaml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock",
)  # fmt: skip


class Checkout(NamedTuple):
    """A revision in its own folder, beside the working tree."""

    revision: str  # as reports name it
    commit: str
    root: Path  # of this checkout
    repository: Path  # root of the working tree

    def __str__(self) -> str:
        return f"{self.revision} ({self.commit[:9]})"

    def place(self, path: Path) -> Path:
        """The path in this checkout of a path in the working tree; a path elsewhere or ignored by git is unchanged."""
        resolved = path.resolve()
        if not resolved.is_relative_to(self.repository):
            return path
        if _is_ignored(self.repository, resolved):
            return path  # an environment that lies in the repository serves both sides
        return self.root / resolved.relative_to(self.repository)

    def import_path(self, path: Sequence[str]) -> list[str]:
        """The import path for this checkout, made from that of the working tree."""
        return [str(self.place(Path(entry))) for entry in path]


@contextmanager
def checkout(wanted: str, folder: Path, environ: Mapping[str, str]) -> Iterator[Checkout]:
    """Check out a revision, or `auto`, from the repository that holds `folder`; remove it at the end.

    Raises UserError, and NotComparable if `auto` finds nothing to compare with.
    """
    repository = repository_of(folder, "--base-ref needs: run it in one, or use --baseline FILE")
    if wanted.startswith("-"):
        raise UserError(f"--base-ref {wanted}: a revision cannot begin with a dash.")
    name, revision = ci.resolve(wanted, folder, environ)
    with worktree(repository, name, commit_of(repository, revision)) as found:
        yield found


def repository_of(folder: Path, needs: str) -> Path:
    """The root of the repository that holds a folder. Raises UserError; `needs` says what one is needed for."""
    return Path(
        git(folder, "rev-parse", "--show-toplevel", message=f"{folder} is not in a git repository, which {needs}.")
    )


def commit_of(repository: Path, revision: str) -> str:
    """The hash of the commit that a revision names. Raises UserError if git does not know it."""
    unknown = f"git does not know the revision {revision!r}. Fetch it first: git fetch origin."
    return git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", message=unknown)


@contextmanager
def worktree(repository: Path, name: str, commit: str) -> Iterator[Checkout]:
    """Check out a commit, called `name` in reports, into a folder of its own; remove it at the end."""
    with ExitStack() as end:
        root = Path(_temporary_folder(end)).resolve() / repository.name
        with deferred():
            git(repository, "worktree", "add", "--detach", str(root), commit)
            end.callback(_remove, repository, root)
        yield Checkout(name, commit, root, repository.resolve())


def _temporary_folder(end: ExitStack) -> str:
    try:
        return end.enter_context(tempfile.TemporaryDirectory(prefix="bench-gate-"))
    except OSError as error:
        raise UserError(f"A checkout of another revision needs a temporary folder: {error.strerror}.") from None


def _remove(repository: Path, root: Path) -> None:
    with deferred():
        git(repository, "worktree", "remove", "--force", str(root))


def changed_dependencies(at: Checkout) -> list[str]:
    """Files in which the revision declares other dependencies: then one environment cannot serve both sides."""
    changed = git(at.repository, "diff", "--name-only", "-z", at.commit, "--").split("\0")
    return [path for path in changed if _declares_others(at, PurePosixPath(path))]


def _declares_others(at: Checkout, path: PurePosixPath) -> bool:
    if path.name == "pyproject.toml":
        return _declared(at.root / path) != _declared(at.repository / path)
    return any(fnmatch(path.name, pattern) for pattern in _DEPENDENCIES)


def _declared(pyproject: Path) -> list[object]:
    """The parts of a pyproject.toml that declare dependencies."""
    if not pyproject.exists():
        return []
    try:
        table = tomllib.loads(pyproject.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # not TOML, or not text
        raise UserError(f"{pyproject} is not valid TOML: {visible(str(error))}.") from None
    places = ("project.requires-python", "project.dependencies", "project.optional-dependencies", "dependency-groups")
    return [_at(table, *place.split(".")) for place in (*places, "tool.poetry.dependencies")]


def _at(table: object, *path: str) -> object:
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table


def describe(folder: Path) -> str:
    """Describe the working tree: its commit, and whether it has changes."""
    commit = git(folder, "rev-parse", "--short=9", "HEAD")
    return f"the working tree ({commit}{' with changes' if git(folder, 'status', '--porcelain') else ''})"


def _is_ignored(repository: Path, path: Path) -> bool:
    return succeeds(repository, "check-ignore", "--quiet", str(path))
