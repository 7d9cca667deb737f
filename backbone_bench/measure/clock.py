"""The host clock."""

import time


class HostClock:
    """Clock of the host: monotonic seconds, and sleep."""

    def now_s(self) -> float:
        return time.perf_counter()

    def sleep_s(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
