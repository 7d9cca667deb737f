"""Search for the largest batch on a real GPU."""

import pytest
import torch

from backbone_bench import profiler
from backbone_bench.base.errors import OutOfMemory
from backbone_bench.jobs.job import Job
from backbone_bench.measure.devices import fitting
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD


@pytest.fixture
def small_card():
    """A GPU of whose memory this process may use 2 GiB."""
    total = torch.cuda.get_device_properties(NAME).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, (2 << 30) / total), NAME)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, NAME)


def ignore(phase, share):
    """Progress callback that does nothing."""


def test_the_largest_batch_is_measured_and_twice_as_much_does_not_fit(small_card):
    job = Job("resnet18", {}, device=NAME, batch="auto", quick=True, energy="off")
    found = profiler.profile(job, ignore, lambda record: None)
    assert "auto_batch" in found.flags
    assert found.workload.batch > 1
    larger = Job("resnet18", {}, device=NAME, batch=2 * found.workload.batch, quick=True, energy="off")
    with pytest.raises(OutOfMemory, match="does not fit"):
        profiler.profile(larger, ignore, lambda record: None)


def test_the_memory_of_the_search_is_given_back(small_card):
    before = torch.cuda.memory_reserved(NAME)

    def fits(batch):
        torch.empty(batch << 24, device=NAME)
        return batch < 16

    fitting.largest(fits)
    assert torch.cuda.memory_reserved(NAME) <= before
