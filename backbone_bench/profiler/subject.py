"""What a job is about: a model with its inputs, in the job's mode and type, to be counted or to be measured."""

from dataclasses import dataclass, replace

import torch

from backbone_bench.jobs.job import Job
from backbone_bench.measure.call import precision
from backbone_bench.measure.call.step import set_mode
from backbone_bench.measure.call.weights import lsuv_init
from backbone_bench.records import TensorSpec, Workload
from backbone_bench.zoo import sources
from backbone_bench.zoo.sources import NO_MODEL, InMemoryModel, Loaded, Request

# What somebody has built: it has its values, and they are not ours to change.
_BUILT = ("import", "file", "exported", "object")


@dataclass(frozen=True, slots=True)
class Subject:
    """The model that a job names, or the one that a program holds."""

    job: Job
    held: InMemoryModel = NO_MODEL

    def of_batch(self, batch: int) -> "Subject":
        """The same with so many images in a call."""
        return replace(self, job=replace(self.job, batch=batch))

    def build_on_meta(self) -> Loaded:
        """In its mode and type, without values where it needs none; amp and tf32 leave the type at float32."""
        loaded = sources.load(self._request, on_meta=True)
        set_mode(loaded.model, train=self.job.mode == "train")
        half = precision.HALVES.get(self.job.precision)
        return loaded if half is None else loaded.cast(half)

    def ready_to_measure(self, counted: Loaded) -> Loaded:
        """With values. What the zoo and the extras build has random weights: they are settled first."""
        loaded = self.with_real_weights(counted)
        if loaded is not counted:
            lsuv_init(loaded.model, *loaded.inputs[:2], batch=loaded.inputs.batch, seed=self.job.seed)
        return loaded

    def with_real_weights(self, counted: Loaded) -> Loaded:
        """The model that was counted, where that has values; else another."""
        return counted if counted.source in _BUILT else sources.load(self._request, on_meta=False)

    def workload(self, threads: int | None, loaded: Loaded | None = None) -> Workload:
        """What the job comes to; of a model that is not built yet the inputs are those asked for, if any were."""
        job, batch = self.job, self._request.batch
        asked = tuple(str(spec.batched(batch)) for spec in self._request.inputs)
        return Workload(
            **job.setting | {"threads": threads},
            source=self._request.source,
            inputs=loaded.inputs.describe() if loaded else asked,
            batch=loaded.inputs.batch if loaded else batch,
        )

    @property
    def threads(self) -> int:
        return self.job.threads or torch.get_num_threads()

    @property
    def _request(self) -> Request:
        job = self.job
        batch = 1 if job.batch == "auto" else job.batch
        return Request(
            job.model, job.arguments, tuple(map(TensorSpec.parse, job.inputs)), job.input_size, batch, self.held
        )
