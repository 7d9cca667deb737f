"""Many jobs, many records: each row in a fresh process, so that what befalls one costs that row only.

The parent never loads torch: it waits, and takes no cycles from what is
measured. A row that ends badly keeps what was known of it when it ended.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from backbone_bench.errors import UserError
from backbone_bench.jobs import JOB, Job
from backbone_bench.messages import MESSAGE, PENDING, Done, Failed, Kept, Phase
from backbone_bench.records import Missing, Record

Told = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row that is over: its record, as far as there is one, and what went wrong, if anything did."""

    job: Job
    record: Record | None
    failure: Failed | None = None


def run_isolated(job: Job, told: Told, timeout_s: float | None = None) -> Outcome:
    """Run one job in a fresh process and wait for it; `timeout_s` is the most it may take."""
    kept: Record | None = None
    with _child(job, timeout_s) as child:
        assert child.process.stdout is not None
        for line in child.process.stdout:
            match MESSAGE.validate_json(line):
                case Phase(name=name, share=share):
                    told(name, share)
                case Kept(record=kept):
                    pass
                case Done(record=record):
                    return Outcome(job, record)
                case Failed() as failure:
                    return _failed(job, kept, failure)
        child.process.wait()
    return _failed(job, kept, Failed(child.epitaph(), 3))


def run_in_process(job: Job, told: Told) -> Outcome:
    """Run one job here; a crash of the model is a crash of this process."""
    from backbone_bench import profiler  # loads torch

    kept: list[Record] = []
    try:
        return Outcome(job, profiler.profile(job, told, kept.append))
    except UserError as error:
        return _failed(job, kept[-1] if kept else None, Failed(str(error), error.exit_code))


def _failed(job: Job, kept: Record | None, failure: Failed) -> Outcome:
    """What was known before the failure stays; what was still to come says why it did not."""
    if kept is None:
        return Outcome(job, None, failure)
    lost = Missing("failed", failure.message)
    record = replace(
        kept,
        latency=lost if kept.latency == PENDING else kept.latency,
        memory=lost if kept.memory == PENDING else kept.memory,
        energy=lost if kept.energy == PENDING else kept.energy,
        watch=lost if kept.watch == PENDING else kept.watch,
    )
    return Outcome(job, record, failure)


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    timeout_s: float | None
    timed_out: bool = False

    def kill(self) -> None:
        """End the child and whatever it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def time_out(self) -> None:
        self.timed_out = True
        self.kill()

    def epitaph(self) -> str:
        """Why it ended without a word."""
        code = self.process.returncode
        if self.timed_out:
            return f"ran past the timeout of {self.timeout_s:g} s"
        if code == -signal.SIGKILL:
            return "was killed (signal 9): out of memory, most likely"
        if code < 0:
            return f"crashed with signal {-code} ({signal.Signals(-code).name})"
        return f"ended early with exit code {code}"


@contextmanager
def _child(job: Job, timeout_s: float | None) -> Iterator[_Child]:
    process = subprocess.Popen(
        [sys.executable, "-m", "backbone_bench.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is the parent's to handle
    )
    child = _Child(process, timeout_s)
    timer = threading.Timer(timeout_s or 0, child.time_out)
    if timeout_s is not None:
        timer.start()
    try:
        _ask(process, job)
        yield child
    finally:
        timer.cancel()
        child.kill()
        process.communicate()


def _ask(process: subprocess.Popen[bytes], job: Job) -> None:
    """Hand the job over; stdin stays open, since its end tells the child that the parent is gone."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it died before it could read; how, its end will tell
        process.stdin.write(JOB.dump_json(job) + b"\n")
        process.stdin.flush()
