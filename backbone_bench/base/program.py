"""What this program is and when it runs: its version, its folder, its commit, the time."""

import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

__version__ = "0.1.0"
PACKAGE = Path(__file__).parent.parent  # the folder `backbone_bench`


@cache
def commit() -> str | None:
    """The commit of the checkout this program runs from, with `+` where it has changes; None where nobody can tell."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    try:
        told = subprocess.run(
            ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:  # no git, or no process for it
        return None
    return told.stdout.strip() or None


def now_utc() -> str:
    """The time in UTC as records and baselines have it: ISO 8601 to the second, ending in Z."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
