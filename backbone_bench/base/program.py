"""What this program is: its version, its folder, and the commit it runs from."""

import subprocess
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
