"""The cores that this process may run on."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from backbone_bench.records import Missing

_THREADS = Path("/proc/self/task")


def pin(cores: Sequence[int]) -> Missing | None:
    """Keep every thread of this process on these cores. Returns the reason if the system does not allow it."""
    try:
        threads = [int(one.name) for one in _THREADS.iterdir()]
        os.sched_setaffinity(0, cores)
    except (OSError, AttributeError) as error:  # macOS has neither
        return Missing("not_pinned", f"the system does not keep a process on a core: {error}")
    for thread in threads:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(thread, cores)
    return None
