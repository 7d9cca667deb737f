"""The latency of a job in turns: another process asks for each burst of calls."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass

from backbone_bench.base import collector
from backbone_bench.base.progress import ProgressCallback
from backbone_bench.jobs.turns import Needs, Ready, Sampled, TurnCaller
from backbone_bench.measure.devices import fitting
from backbone_bench.measure.latency.bursts import Bursts
from backbone_bench.measure.latency.meter import MeasuredLatency
from backbone_bench.measure.latency.plan import LatencyPlan
from backbone_bench.measure.machine import affinity
from backbone_bench.measure.protocols import Device, Step, Watcher
from backbone_bench.records import Missing, ModelCost


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of one process: who asks for them, the cores to stay on (none: all), and how many others take them."""

    caller: TurnCaller
    cores: Sequence[int]
    partners: int

    def before_building(self, cost: ModelCost | Missing, device: Device) -> None:
        """Say what the model needs, and wait until it may be built."""
        needed = cost if isinstance(cost, Missing) else fitting.least_bytes(cost)
        free = fitting.free_bytes(device)
        self.caller.build(
            Needs(None if isinstance(needed, Missing) else needed, None if isinstance(free, Missing) else free)
        )

    def measure(
        self, step: Step, device: Device, watch: Watcher, plan: LatencyPlan, on_progress: ProgressCallback
    ) -> MeasuredLatency:
        """Warm the step up, and take the bursts that the caller asks for."""
        refused = affinity.pin(self.cores) if self.cores and device.is_host else None
        gc.collect()
        with collector.gc_disabled():
            bursts = Bursts(step, device, watch, plan, on_progress)
            last: Ready | Sampled = Ready(bursts.call_s, refused.message if refused else None)
            while (burst := self.caller.next_burst(last)) is not None:
                taken = bursts.take(burst.calls, burst.discard, kept=burst.kept)
                last = Sampled(**taken._asdict())
            return bursts.finish()
