"""The subject of a job: a model with its inputs, in the job's mode and data type, to count or to measure."""

from dataclasses import dataclass, replace

import torch

from backbone_bench.cost.swap import with_values
from backbone_bench.jobs.job import Job
from backbone_bench.measure.call import precision
from backbone_bench.measure.call.step import set_mode
from backbone_bench.measure.call.weights import lsuv_init
from backbone_bench.records import TensorSpec, Workload
from backbone_bench.zoo import sources
from backbone_bench.zoo.sources import NO_MODEL, InMemoryModel, Loaded, Request

# Sources of models that the user has built: they have weights already, which must not be changed.
_BUILT = ("import", "file", "exported", "object")


@dataclass(frozen=True, slots=True)
class Subject:
    """The model of a job: built from its name, or passed as an object in memory."""

    job: Job
    in_memory: InMemoryModel = NO_MODEL

    def of_batch(self, batch: int) -> "Subject":
        """The same subject with another batch size."""
        return replace(self, job=replace(self.job, batch=batch))

    def build_on_meta(self) -> Loaded:
        """Build the model on the meta device if possible, in its mode and data type (float32 for amp and tf32)."""
        return self._build(on_meta=True)

    def build_with_values(self, counted: Loaded) -> Loaded:
        """The same on the CPU, for a forward pass that reads values; a user's model on meta gets random ones."""
        if counted.source in _BUILT:
            return replace(counted, model=with_values(counted.model))
        return self._build(on_meta=False)

    def _build(self, *, on_meta: bool) -> Loaded:
        loaded = sources.load(self._request, on_meta=on_meta)
        set_mode(loaded.model, train=self.job.mode == "train")
        half = precision.HALVES.get(self.job.precision)
        return loaded if half is None else loaded.cast(half)

    def ready_to_measure(self, counted: Loaded) -> Loaded:
        """Build the model with weights. Random weights, of the zoo and the extras, are initialised by `lsuv_init`."""
        loaded = self.with_real_weights(counted)
        if loaded is not counted:
            lsuv_init(loaded.model, *loaded.inputs[:2], batch=loaded.inputs.batch, seed=self.job.seed)
        return loaded

    def with_real_weights(self, counted: Loaded) -> Loaded:
        """The counted model if it has weights, else a new one with weights."""
        return counted if counted.source in _BUILT else sources.load(self._request, on_meta=False)

    def workload(self, threads: int | None, loaded: Loaded | None = None) -> Workload:
        """Workload of the job. Before the model is built, its inputs are those requested, if any."""
        job, batch = self.job, self._request.batch
        requested = tuple(str(spec.batched(batch)) for spec in self._request.inputs)
        return Workload(
            **job.setting | {"threads": threads},
            source=self._request.source,
            inputs=loaded.inputs.describe() if loaded else requested,
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
            job.model, job.arguments, tuple(map(TensorSpec.parse, job.inputs)), job.input_size, batch, self.in_memory
        )
