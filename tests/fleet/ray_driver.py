"""The driver of a sweep on Ray, as a program that a test can signal or kill: `ray_driver.py OUTPUT`.

It runs the rows of the plan that have no record, and prints how that ended and what it cost.
"""

import json
import resource
import sys
import time
from pathlib import Path

from backbone_bench.base import signals
from backbone_bench.records import store
from backbone_bench.run.fleet import plan
from backbone_bench.run.fleet.drive import drive
from backbone_bench.run.fleet.ray.places import places


def main(output: Path) -> int:
    of = plan.read(output)
    found = store.read([output], print) if output.exists() else ()
    have = {record.placement.row for record in found if record.placement is not None}
    left = [row for row in of.rows if row.row not in have]
    began_s, before = time.monotonic(), time.process_time()
    with signals.handled():
        driven = drive(of, left, places, lambda line: print(line, file=sys.stderr, flush=True), lambda ended, row: None)
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - before
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    failed = [[row.row, why] for row, why in driven.failed]
    ended = None if driven.ended is None else str(driven.ended)
    told = {"done": driven.done, "failed": failed, "ended": ended}
    print(json.dumps({**told, "took_s": took_s, "cpu_s": cpu_s, "peak_bytes": peak_bytes}))
    return driven.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
