"""What the engine Ray costs: 1000 rows that sleep 2 s, on 64 CPUs of one virtual node. Run as a program.

A row has no process of its own here; all else is as in a sweep. The first rows, on which Ray starts its workers, are
not counted: 64 of them on a few real cores take longer than the rows.
"""

import json
import tempfile
from pathlib import Path

from backbone_bench.jobs.job import Job
from backbone_bench.run.fleet import events, plan
from tests.fleet import virtual

ROWS, SLOTS, ROW_S = 1000, 64, 2.0
FIRST = 2 * SLOTS


def main() -> None:
    with virtual.started() as nodes, tempfile.TemporaryDirectory() as folder:
        nodes.add("one", row=str(ROW_S), cpus=SLOTS, env={"RAY_worker_niceness": "0"})
        conditions = plan.Conditions.of("ray", nodes.address, sharing="shared")
        jobs = [Job("fine", {}, seed=seed, device="cpu", threads=1) for seed in range(FIRST + ROWS)]
        of = plan.new(Path(folder) / "sweep.jsonl", conditions, jobs, [None])
        plan.write(of)
        out, err = nodes.driver(of.output).communicate()
        told = json.loads(out)
        ends_s = [event.at_s for event in events.read(of.output) if event.what == "recorded"]
        took_s, cpu_ms = ends_s[-1] - ends_s[FIRST - 1], told["cpu_s"] / told["done"] * 1e3
        print(
            f"{ROWS} rows in {took_s:.1f} s (ideal {ROWS * ROW_S / SLOTS:.1f} s), all {told['done']} in "
            f"{told['took_s']:.1f} s. The driver: {cpu_ms:.1f} ms of CPU a row, "
            f"{told['peak_bytes'] / 1e6:.0f} MB at most."
        )
        print(err, end="")


if __name__ == "__main__":
    main()
