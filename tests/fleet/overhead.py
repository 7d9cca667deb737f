"""What a fleet costs beside its rows: 1000 rows that sleep for 2 s on 64 slots of Slurm, without a process for a row.

Run as `python -m tests.fleet.overhead`: the engine's part and this program's are measured, and no torch is loaded. An
element is this module too, in the place of `bench fleet work`.
"""

import os
import resource
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from backbone_bench.base.program import PACKAGE
from backbone_bench.jobs.job import Job
from backbone_bench.run import runner
from backbone_bench.run.fleet import collect, events, plan
from backbone_bench.run.fleet.plan import Conditions
from backbone_bench.run.fleet.slurm import batch, commands, element
from tests.report.samples import record

ROWS, SLOTS, SLEEP_S = 1000, 64, 2.0


def work(output: Path, submission: int, array: int) -> None:
    """Be an element whose rows sleep."""

    def sleeps(job: Job, *how: object) -> runner.JobResult:
        time.sleep(SLEEP_S)
        return runner.JobResult(job, record(job.model, 4_000_000, 0.01))

    vars(runner)["run_isolated"] = sleeps
    element.work(plan.read(output), submission, array, element.here(), print)


def measure(folder: Path) -> None:
    """Submit the rows and wait for the last; print what it took."""
    jobs = [Job(f"m{number}", {}, device="cpu") for number in range(ROWS)]
    words = ("--no-requeue",)
    conditions = Conditions.of("slurm", sharing="shared", words=words, rows_per_job=-(-ROWS // SLOTS))
    of = plan.new(folder / "sweep.jsonl", conditions, jobs, [None])
    plan.write(of)
    began_s = time.time()
    batch.submit(of, of.rows)
    submitted_s = time.time()
    while commands.tasks(batch.name(of)):
        time.sleep(0.5)
    happened = events.read(of.output)
    last_s = max(event.at_s for event in happened)
    starts = {event.row: event.at_s for event in happened if event.what == "started"}
    ends = {event.row: event.at_s for event in happened if event.what == "recorded"}
    gaps_s = [
        starts[after] - ends[row]
        for array in batch.submissions(of)[0].arrays
        for rows in array.elements
        for row, after in pairwise(rows)
    ]
    beside_s = statistics.median(ends[row] - starts[row] - SLEEP_S for row in ends) + statistics.median(gaps_s)
    collects_s = time.time()
    took = collect.collect(of, print)
    collected_s = time.time() - collects_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(took.by_row)} records; submitted in {submitted_s - began_s:.2f} s")
    print(f"the last row after {last_s - began_s:.1f} s, ideal {ROWS / SLOTS * SLEEP_S:.1f} s")
    print(f"beside each row {beside_s:.3f} s (median)")
    print(f"collected in {collected_s:.1f} s; peak memory of this process {peak_mib:.0f} MiB")


def main() -> None:
    if len(sys.argv) > 1:
        work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
        return
    from tests.fleet.cluster import slurm_cluster

    vars(batch)["_command"] = _command
    with tempfile.TemporaryDirectory() as name, slurm_cluster(Path(name) / "cluster", cpus=22) as cluster:
        os.environ.update(cluster.variables)
        os.environ["PYTHONPATH"] = str(PACKAGE.parent)
        measure(Path(name))


def _command(of: plan.Plan, command: str, *words: int) -> str:
    """The line of an element; nothing collects, which is measured by itself."""
    if command != "work":
        return "true"
    return f"exec {sys.executable} -m tests.fleet.overhead {of.output} {' '.join(map(str, words))}"


if __name__ == "__main__":
    main()
