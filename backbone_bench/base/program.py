"""Facts for the provenance of a record: the program's version, folder and git commit, and the current time."""

import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

__version__ = "0.1.0"
PACKAGE = Path(__file__).parent.parent  # the folder `backbone_bench`


@cache
def commit() -> str | None:
    """Git commit of the checkout that the program runs from, with `+` if it has local changes; None if unknown."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:  # git is not installed, or cannot be started
        return None
    return described.stdout.strip() or None


def now_utc() -> str:
    """Current time in UTC, in the format of records and baselines: ISO 8601 to the second, ending in Z."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
