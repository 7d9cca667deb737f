"""Models of rows on virtual nodes, for `tests.run.stand_in`: each leaves a file in the folder FLEET_SHOWN."""

import json
import os
import sys
import time
from pathlib import Path


def naps() -> None:
    shows()
    time.sleep(1)


def sleeps() -> None:
    shows()
    time.sleep(600)


def shows() -> None:
    """What surrounds the row."""
    surroundings = {
        "variables": dict(os.environ),
        "path": sys.path,
        "folder": os.getcwd(),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "pid": os.getpid(),
        "parent": os.getppid(),
    }
    file = Path(os.environ["FLEET_SHOWN"]) / f"{os.getpid()}.json"
    file.with_suffix(".new").write_text(json.dumps(surroundings))
    file.with_suffix(".new").rename(file)
