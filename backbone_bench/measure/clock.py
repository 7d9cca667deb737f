"""The host's own time."""

import time


class HostClock:
    """Monotonic seconds, and sleep."""

    def now_s(self) -> float:
        return time.perf_counter()

    def sleep_s(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
