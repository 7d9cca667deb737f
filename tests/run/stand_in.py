"""A worker process with a stand-in for the profiler: it calls the function below that has the model's name.

Run as a program, without torch. Crashes, hangs and forks happen here for real;
only the measuring does not.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import backbone_bench
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.jobs.job import Job
from backbone_bench.jobs.turns import Needs, Ready, Sampled, TurnCaller
from backbone_bench.records import PENDING, Environment, Latencies, Record, Workload
from backbone_bench.run import worker
from tests.report.samples import counted, latency, record


def fine() -> None:
    """A model without side effects."""


def prints() -> None:
    print("from Python")
    os.write(1, b"from C\n")


def reads() -> None:
    assert sys.stdin.read() == ""


def kills_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfaults() -> None:
    ctypes.string_at(0)


def hangs() -> None:
    while True:
        pass


def breaks() -> None:
    raise ValueError("first line\nlast line")


def exits() -> None:
    sys.exit("enough")


def exits_hard() -> None:
    os._exit(7)


def allocates() -> None:
    blocks = []
    while True:
        blocks.append(bytearray(1 << 26))


def ends_by_a_signal_without_a_name() -> None:
    os.kill(os.getpid(), 40)


def writes_everywhere() -> None:
    shouts()
    threading.Event().wait()


def shouts() -> None:
    """It writes to every file descriptor, and does so already when it is built."""
    for number in range(3, 20):
        with contextlib.suppress(OSError):
            os.write(number, b"x\n")


def closes_all() -> None:
    """It closes our pipe, and goes on."""
    os.closerange(3, 99)
    threading.Event().wait()


def leaves_a_thread() -> None:
    threading.Thread(target=threading.Event().wait).start()


def leaves_a_process() -> None:
    """The child process holds every pipe open and outlives its parent's process group."""
    if os.fork() == 0:
        os.setsid()
        signal.alarm(60)
        signal.pause()
    os._exit(5)


def comes_back_twice() -> None:
    os.fork()


def profile(job: Job, on_progress: ProgressCallback, keep: Callable[[Record], None]) -> Record:
    """Replaces `profiler.profile`: returns a record of invented numbers."""
    made = record(job.model, 4_000_000, 0.01)
    made = replace(made, workload=replace(made.workload, seed=job.seed))
    if job.seed:  # counted before it happened
        keep(replace(counted(job.model, 4_000_000), latency=PENDING, memory=PENDING, energy=PENDING, watch=PENDING))
    on_progress("measuring", 0.5)
    globals()[job.model.rpartition(":")[2]]()
    return made


def profile_in_turns(job: Job, caller: TurnCaller, on_progress: ProgressCallback) -> Record:
    """Replaces `profiler.profile_in_turns`: bursts of invented times.

    Arguments: `call_s` of each call, `burst` before which the model's function is called, `file` that gets the
    process's number, `needs` of memory in bytes.
    """
    given: dict[str, Any] = {"call_s": 0.01, "burst": 0, "file": os.devnull, "needs": 1, **job.arguments}
    with open(given["file"], "a") as file:
        print(os.getpid(), file=file)
    caller.build(Needs(given["needs"], 1000))
    on_progress("building", 0)
    samples_s: list[float] = []
    last: Ready | Sampled = Ready({"wall": given["call_s"]}, None)
    bursts, per_burst = 0, 1
    while (burst := caller.next_burst(last)) is not None:
        if bursts == given["burst"]:
            globals()[job.model]()
        calls = burst.calls["wall"]
        if burst.kept:
            bursts, per_burst = bursts + 1, calls
            samples_s += [given["call_s"]] * calls
        last = Sampled(time.perf_counter(), {"wall": given["call_s"]}, (0.5,) * burst.discard, 0.001, 2, 1)
    made = record(job.model, 4_000_000, 0.01)
    assert isinstance(made.latency, Latencies)
    wall = replace(latency(0.01), samples_s=tuple(samples_s), per_burst=per_burst)
    return replace(made, latency=replace(made.latency, wall=wall))


def resolve(job: Job) -> tuple[Workload, Environment]:
    """Replaces `profiler.resolve`: the workload and environment of `profile`."""
    if job.model == "shouts":
        shouts()
    made = profile(replace(job, model="fine", seed=0), lambda phase, share: None, lambda record: None)
    return replace(made.workload, model=job.model, seed=job.seed), made.environment


if __name__ == "__main__":
    stand_in = types.ModuleType("backbone_bench.profiler")
    vars(stand_in).update(
        profile=profile,
        profile_in_turns=profile_in_turns,
        resolve=resolve,
        Turns=lambda caller, cores, partners: caller,
    )
    vars(backbone_bench)["profiler"] = stand_in  # in the place of the one that loads torch
    worker.main()
