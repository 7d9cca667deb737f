"""What Linux tells about the host in /proc and /sys: load that others cause, and resident memory.

Elsewhere there is no such file, or a sandbox makes one up that says nothing: then a reading is Missing with its reason.
"""

import ctypes
import os
import time
from collections.abc import Set
from pathlib import Path

from backbone_bench.records import Known, Missing

_STAT = Path("/proc/stat")
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")

# Columns of a cpu line (proc(5)); idle and iowait are no work, guest time is within user.
_WORK = ("user", "nice", "system", "irq", "softirq", "steal")
_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def others_s() -> Known[float]:
    """How long others have kept this process's cores busy, averaged over the cores, since some fixed moment.

    Time that a hypervisor gave to its other guests counts too. Ticks of 10 ms: meant for differences over a second.
    """
    cores = os.sched_getaffinity(0)
    try:
        ticks = busy_ticks(_STAT.read_text(), cores)
    except OSError as error:
        return Missing("no_proc_stat", f"the load of others is not known here: {_STAT}: {error.strerror}")
    except ValueError:
        ticks = 0
    if not ticks:
        return Missing("no_proc_stat", f"the load of others is not known here: {_STAT} tells of no work on these cores")
    return (ticks / os.sysconf("SC_CLK_TCK") - time.process_time()) / len(cores)


def busy_ticks(stat: str, cores: Set[int]) -> int:
    """Ticks of work on these cores, of whatever process, from the text of /proc/stat."""
    total = 0
    for line in stat.splitlines():
        name, _, rest = line.partition(" ")
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            ticks = dict(zip(_COLUMNS, map(int, rest.split()), strict=False))
            total += sum(ticks.get(column, 0) for column in _WORK)
    return total


class Resident:
    """The highest resident memory of this process above a baseline, in bytes."""

    def __init__(self) -> None:
        self._baseline = self._mark = 0
        self._cleared = False

    def mark(self) -> None:
        """What is resident now is the baseline; what earlier work has freed is given back first."""
        _trim()
        self._baseline = _resident("VmRSS") or 0

    def reset(self) -> None:
        """Forget the peak so far, where the kernel lets us."""
        self._mark = _resident("VmHWM") or 0
        try:
            _CLEAR.write_text("5")  # proc(5): resets the peak resident set size
        except OSError:
            self._cleared = False
        else:
            self._cleared = True

    def peak_bytes(self) -> Known[int]:
        """The peak since `reset`, above `mark`."""
        peak = _resident("VmHWM")
        if peak is None:
            return Missing("no_peak_resident", f"the peak of resident memory is not told here ({_STATUS} lacks VmHWM)")
        if not self._cleared and peak <= self._mark:
            return Missing(
                "peak_resident_hidden", f"an earlier peak of resident memory hides this one: {_CLEAR} cannot be written"
            )
        if peak <= self._baseline:
            return Missing("peak_resident_hidden", "memory that this process held before was enough: nothing was added")
        return peak - self._baseline


def _trim() -> None:
    """glibc keeps freed memory; other C libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _resident(field: str) -> int | None:
    try:
        return status_bytes(_STATUS.read_text(), field)
    except (OSError, ValueError, IndexError):
        return None


def status_bytes(status: str, field: str) -> int | None:
    """A field of /proc/self/status, which counts in KiB whatever it says."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None


def last_cache_bytes() -> Known[int]:
    """The size of the processor's last-level cache."""
    sizes = {}
    for folder in _CACHES.glob("index*"):
        try:
            sizes[int((folder / "level").read_text())] = cache_bytes((folder / "size").read_text())
        except (OSError, ValueError):
            continue
    if not sizes:
        return Missing("cache_unknown", f"the size of the processor's cache is not told here ({_CACHES})")
    return sizes[max(sizes)]


def cache_bytes(size: str) -> int:
    """`36608K` or `32M` in bytes."""
    units = {"K": 1024, "M": 1024**2, "G": 1024**3}
    text = size.strip()
    return int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text)
