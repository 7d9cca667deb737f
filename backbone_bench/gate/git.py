"""Run git in a folder of the user's repository."""

import subprocess
from pathlib import Path

from backbone_bench.base.errors import UserError


def git(folder: Path, *words: str, message: str = "") -> str:
    """Output of a git command; raise UserError with `message`, or with git's own, if it fails."""
    result = _run(folder, *words)
    if result.returncode:
        raise UserError(message or f"git {' '.join(words)}: {result.stderr.strip() or 'failed'}")
    return result.stdout.rstrip("\n")


def succeeds(folder: Path, *words: str) -> bool:
    """Whether a git command ends without an error."""
    return _run(folder, *words).returncode == 0


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, errors="surrogateescape", check=False,
            start_new_session=True,  # Ctrl-C must not interrupt it
        )  # fmt: skip
    except OSError as error:  # for example: git is not installed
        raise UserError(f"git is needed for this, and cannot be run: {error.strerror}.") from None
