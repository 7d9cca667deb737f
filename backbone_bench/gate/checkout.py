"""Another revision of the user's repository beside the working tree, for as long as it is needed.

Both sides run in one environment: the interpreter and its packages are shared,
and every place on the import path that lies in the repository is replaced by the same place of the other checkout.
"""

import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from backbone_bench.base.errors import UserError, visible
from backbone_bench.base.signals import deferred

# Files that say what is installed, beside pyproject.toml, which says more than that.
_DEPENDENCIES = (
    "setup.py", "setup.cfg", "requirements*.txt", "requirements*.in", "constraints*.txt", "environment*.yml",
    "environment*.yaml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock",
)  # fmt: skip


class Checkout(NamedTuple):
    """A revision laid out in a folder of its own."""

    revision: str  # as the user named it
    commit: str
    root: Path  # of this checkout
    repository: Path  # the root of the working tree that it stands beside

    def __str__(self) -> str:
        return f"{self.revision} ({self.commit[:9]})"

    def place(self, path: Path) -> Path:
        """What lies in the working tree, in this checkout; what lies elsewhere, there."""
        resolved = path.resolve()
        if not resolved.is_relative_to(self.repository):
            return path
        if _is_ignored(self.repository, resolved):
            return path  # an environment that lies in the repository serves both sides
        return self.root / resolved.relative_to(self.repository)

    def import_path(self, path: Sequence[str]) -> list[str]:
        """The import path of this checkout's side, for that of the working tree's."""
        return [str(self.place(Path(entry))) for entry in path]


@contextmanager
def checkout(revision: str, folder: Path) -> Iterator[Checkout]:
    """The revision of the repository that `folder` lies in; removed in the end. Raises UserError."""
    repository = Path(_git(folder, "rev-parse", "--show-toplevel", otherwise=f"{folder} is in no git repository."))
    if revision.startswith("-"):
        raise UserError(f"--base-ref {revision}: no revision begins with a dash.")
    missing = f"git knows no revision {revision!r} here. Fetch it first (actions/checkout: with fetch-depth: 0)."
    commit = _git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", otherwise=missing)
    with ExitStack() as end:
        root = Path(_temporary(end)).resolve() / repository.name
        with deferred():
            _git(repository, "worktree", "add", "--detach", str(root), commit)
            end.callback(_remove, repository, root)
        yield Checkout(revision, commit, root, repository.resolve())


def _temporary(end: ExitStack) -> str:
    try:
        return end.enter_context(tempfile.TemporaryDirectory(prefix="bench-gate-"))
    except OSError as error:
        raise UserError(f"--base-ref needs a temporary folder: {error.strerror}.") from None


def _remove(repository: Path, root: Path) -> None:
    with deferred():
        _git(repository, "worktree", "remove", "--force", str(root))


def changed_dependencies(at: Checkout) -> list[str]:
    """Files in which the revision asks for other packages than the working tree: one environment cannot serve both."""
    changed = _git(at.repository, "diff", "--name-only", "-z", at.commit, "--").split("\0")
    return [path for path in changed if _asks_for_others(at, PurePosixPath(path))]


def _asks_for_others(at: Checkout, path: PurePosixPath) -> bool:
    if path.name == "pyproject.toml":
        return _declared(at.root / path) != _declared(at.repository / path)
    return any(fnmatch(path.name, form) for form in _DEPENDENCIES)


def _declared(pyproject: Path) -> list[object]:
    """The parts of a pyproject.toml that change what is installed."""
    if not pyproject.exists():
        return []
    try:
        table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except ValueError as error:  # not TOML, or not text
        raise UserError(f"{pyproject} is not TOML: {visible(str(error))}.") from None
    places = ("project.requires-python", "project.dependencies", "project.optional-dependencies", "dependency-groups")
    return [_at(table, *place.split(".")) for place in (*places, "tool.poetry.dependencies")]


def _at(table: object, *path: str) -> object:
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table


def describe(folder: Path) -> str:
    """The working tree in words."""
    commit = _git(folder, "rev-parse", "--short=9", "HEAD")
    return f"the working tree ({commit}{' with changes' if _git(folder, 'status', '--porcelain') else ''})"


def _is_ignored(repository: Path, path: Path) -> bool:
    asked = ["git", "-C", str(repository), "check-ignore", "--quiet", str(path)]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _git(folder: Path, *words: str, otherwise: str = "") -> str:
    try:
        told = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, errors="surrogateescape", check=False,
            start_new_session=True,  # Ctrl-C must not cut it short
        )  # fmt: skip
    except OSError as error:  # it is not installed, say
        raise UserError(f"--base-ref needs git, which cannot be run: {error.strerror}.") from None
    if told.returncode:
        raise UserError(otherwise or f"git {' '.join(words)}: {told.stderr.strip() or 'failed'}")
    return told.stdout.rstrip("\n")
