"""A live round as a program that a test can signal or kill: `live_parent.py FILE`; the file gets its processes."""

import sys

from backbone_bench.base import signals
from backbone_bench.run.live import LiveSide, take_round
from tests.run.test_live import STAND_IN, job, silent

if __name__ == "__main__":
    side = LiveSide(job("hangs", burst=3, file=sys.argv[1]), STAND_IN)
    with signals.handled():
        try:
            take_round([side, side], 1, silent)
        except signals.Interrupted as interrupted:
            sys.exit(interrupted.exit_code)
