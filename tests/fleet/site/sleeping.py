"""Rows that only sleep."""

import os
import time
from contextlib import contextmanager
from types import SimpleNamespace

from backbone_bench.run.runner import JobResult
from tests.report.samples import record


@contextmanager
def started(job, on_progress, timeout_s=None, worker=None, argv=None):
    def wait():
        time.sleep(float(os.environ["FLEET_ROW"]))
        return JobResult(job, record(job.model, 4_000_000, 0.01))

    yield SimpleNamespace(process=SimpleNamespace(process=SimpleNamespace(pid=os.getpid())), wait=wait)
