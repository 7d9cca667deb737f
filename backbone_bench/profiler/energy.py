"""Energy of a job: which runs it is of, and the meter of the device."""

from typing import NamedTuple

from backbone_bench.base.progress import ProgressCallback
from backbone_bench.jobs.job import Job
from backbone_bench.measure.energy import meter as energy_meter
from backbone_bench.measure.energy import plan as energy_plan
from backbone_bench.measure.energy.choose import meter_for
from backbone_bench.measure.energy.load import Load
from backbone_bench.measure.latency import plan as latency_plan
from backbone_bench.measure.latency.meter import MeasuredLatency
from backbone_bench.measure.latency.timers import replay
from backbone_bench.measure.protocols import CaptureFailed, Device, EventsFailed, Step, Watcher
from backbone_bench.records import NOT_REQUESTED, Energy, Known, Missing


class Call(NamedTuple):
    """A call of a model, with its measured latency if that was asked for: what the meter can run again and again."""

    step: Step
    batch: int
    measured: MeasuredLatency | None

    def waiting(self) -> Load:
        """Calls of a caller who waits for each."""
        launch_bound = self.measured.latency.launch_bound if self.measured else None
        return Load(self.step, self.batch, "wall", None if isinstance(launch_bound, Missing) else launch_bound)

    def replays(self, device: Device) -> Known[Load]:
        """Replays of the call's graph, which is captured here if no latency was measured; Missing if there is none."""
        if self.measured is not None:
            graph = self.measured.latency.graph
            if isinstance(graph, Missing):
                return graph
            return Load(self.measured.fastest, self.batch, "graph", 0.0, calls=self.measured.calls)
        try:
            captured = replay(self.step, device, latency_plan.FULL.queue_depth, cold=False)
        except (CaptureFailed, EventsFailed) as failed:
            return failed.missing
        return Load(captured.timer.step, self.batch, "graph", 0.0, calls=captured.timer.calls_per_sample)


class MeasuredEnergy(NamedTuple):
    """Energy as a record has it: of the runs that were asked for, and of waiting callers if they were asked for too."""

    energy: Known[Energy]
    wall_energy: Known[Energy] | None = None


def measure(job: Job, call: Call, device: Device, watch: Watcher, on_progress: ProgressCallback) -> MeasuredEnergy:
    """Measure the energy of the runs that a job asks for."""
    if job.energy == "off":
        return MeasuredEnergy(NOT_REQUESTED)
    meter = meter_for(device.name, whole_card=job.allow_whole_card)
    if isinstance(meter, Missing):
        return MeasuredEnergy(meter, meter if job.energy_of == "both" else None)
    on_progress("energy", 0)
    plan = energy_plan.choose(
        quick=job.quick, window_s=job.energy_window_s, source=job.energy_source, paper=job.protocol == "paper"
    )
    replays = NOT_REQUESTED if job.energy_of == "wall" else call.replays(device)
    if isinstance(replays, Missing):
        return MeasuredEnergy(
            energy_meter.measure(call.waiting(), device, meter, plan, watch),
            replays if job.energy_of == "both" else None,
        )
    if job.energy_of == "graph":
        return MeasuredEnergy(energy_meter.measure(replays, device, meter, plan, watch))
    return MeasuredEnergy(*energy_meter.measure_each((replays, call.waiting()), device, meter, plan, watch))
