"""Energy and latency are separate phases: NVML is not called while something is timed."""

from bisect import bisect_right

from backbone_bench.measure.latency import meter as latency_meter
from backbone_bench.measure.latency.plan import LatencyPlan
from backbone_bench.measure.nvml.watch import CardWatcher
from backbone_bench.records import Latency, Watch
from tests.measure.energy.bench import card
from tests.measure.nvml.world import Device


class Diary(Device):
    """A device that records start and end of each run."""

    def __init__(self, world):
        super().__init__(world)
        self.work = []

    def step(self):
        begun_s = self.world.now_s()
        super().step()
        self.work.append((begun_s, self.free_s))

    def capture(self, step):
        return step

    def at_work(self, at_s):
        begun = bisect_right(self.work, (at_s, float("inf"))) - 1
        return begun >= 0 and self.work[begun][0] < at_s < self.work[begun][1]


def test_nvml_is_asked_before_between_and_after_timed_parts_and_never_inside_one(world):
    device = Diary(world)
    watch = CardWatcher(card(world))
    first = world.state.calls
    found = latency_meter.measure(device.step, device, watch, LatencyPlan())
    asked_at_s = world.called_at_s()[first:]
    assert all(isinstance(getattr(found.latency, mode), Latency) for mode in ("wall", "device", "graph"))
    assert asked_at_s
    assert not [at_s for at_s in asked_at_s if device.at_work(at_s)]
    assert min(asked_at_s) < device.work[0][0]
    assert isinstance(watch.verdict(), Watch)
