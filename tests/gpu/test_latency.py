"""The latency meter on a real GPU."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.measure.call import precision
from backbone_bench.measure.call.step import prepared
from backbone_bench.measure.call.weights import lsuv_init
from backbone_bench.measure.devices import available
from backbone_bench.measure.latency.meter import MeasuredLatency, measure
from backbone_bench.measure.latency.plan import ALL_MODES, choose
from backbone_bench.measure.latency.timers import Pairs
from backbone_bench.measure.nvml.find import watch_for
from backbone_bench.measure.protocols import LatencyMode, Watcher
from backbone_bench.records import Latency, Missing, Workload
from backbone_bench.zoo import catalogue, registry
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD
RESNET18_PARAMS = 11_689_512
RESNET18 = Workload("resnet18", {}, source="zoo", inputs=("1x3x224x224:float32",), batch=1)


class Blind:
    """A watcher that never polls."""

    def poll(self) -> None: ...

    def verdict(self) -> Missing:
        return Missing("blind", "the device was not polled")


def measured(
    workload: Workload = RESNET18, watch: Watcher | None = None, modes: tuple[LatencyMode, ...] = ALL_MODES
) -> MeasuredLatency:
    device = available.resolve(NAME)
    torch.manual_seed(workload.seed)
    model = registry.load_all()[workload.model].build()
    image = torch.empty(workload.batch, 3, 224, 224, device="meta")
    lsuv_init(model, [image], {}, batch=workload.batch)
    plan = replace(choose(cold=workload.cache == "cold"), modes=modes)
    with precision.applied(workload, NAME), prepared(model, [image], {}, workload, NAME) as step:
        return measure(step, device, watch or watch_for(NAME), plan)


@pytest.fixture(scope="module")
def single() -> MeasuredLatency:
    """ResNet-18 on one image."""
    return measured()


@pytest.fixture(scope="module")
def wide() -> MeasuredLatency:
    """ResNet-18 on 64 images."""
    return measured(replace(RESNET18, batch=64))


def known(latency: Latency | Missing) -> Latency:
    assert isinstance(latency, Latency), latency
    return latency


def test_auto_is_the_card():
    assert available.resolve("auto").name == NAME


def test_a_pair_of_events_reads_the_seconds_that_the_host_waits():
    device = available.resolve(NAME)

    def work() -> None:
        torch.cuda._sleep(200_000_000)  # clock cycles: about 0.1 s

    def waited_s() -> float:
        start_s = device.now_s()
        work()
        device.synchronize()
        return device.now_s() - start_s

    waited_s()
    (read_s,) = Pairs(work, device, depth=8).take(1)
    assert read_s == pytest.approx(waited_s(), rel=0.05)


def test_events_read_twice_as_much_for_twice_the_work():
    device = available.resolve(NAME)
    cycles = 5_000_000

    def median_s(times: int) -> float:
        samples_s = Pairs(lambda: torch.cuda._sleep(times * cycles), device, depth=8).take(50)
        return sorted(samples_s)[25]

    median_s(4)
    assert median_s(2) / median_s(1) == pytest.approx(2, rel=0.02)


def test_an_event_is_done_when_its_work_is_and_not_before():
    device = available.resolve(NAME)
    event = device.event()
    torch.cuda._sleep(200_000_000)
    event.record()
    assert not event.done()
    event.wait()
    assert event.done()


def test_graph_below_device_below_wall(single):
    found = single.latency
    wall_s, device_s, graph_s = (known(mode).median_s for mode in (found.wall, found.device, found.graph))
    assert graph_s <= device_s * 1.02
    assert device_s <= wall_s * 1.02


def test_one_image_is_launch_bound_and_a_large_batch_is_not(single, wide):
    few, many = single.latency.launch_bound, wide.latency.launch_bound
    assert not isinstance(few, Missing)
    assert not isinstance(many, Missing)
    assert many < 0.1
    assert many < few


def test_a_network_that_fits_in_the_cache_is_slower_when_that_is_flushed(single):
    device = available.resolve(NAME)
    fits = not isinstance(device.cache_bytes, Missing) and device.cache_bytes > 1.2 * 4 * RESNET18_PARAMS
    warm = known(single.latency.graph).median_s  # in eager calls the launches would hide the difference
    cold = known(measured(replace(RESNET18, cache="cold"), modes=("graph",)).latency.graph).median_s
    assert cold >= warm * (1.02 if fits else 0.99)


def test_a_watch_changes_the_wall_time_by_less_than_one_percent():
    def wall_s(watch: Watcher | None) -> float:
        return known(measured(replace(RESNET18, batch=32), watch, modes=("wall",)).latency.wall).median_s

    ratios = sorted(wall_s(None) / wall_s(Blind()) for _ in range(3))
    assert ratios[1] == pytest.approx(1, abs=0.01)


def test_a_short_step_is_replayed_several_times():
    value = torch.ones(1000, device=NAME)
    found = measure(lambda: value + 1, available.resolve(NAME), Blind(), choose(quick=True)).latency
    graph = known(found.graph)
    assert graph.calls_per_sample > 1
    assert graph.median_s <= known(found.device).median_s


def test_a_step_that_waits_for_its_result_has_no_graph_and_does_no_harm():
    device, value = available.resolve(NAME), torch.ones(1000, device=NAME)
    found = measure(lambda: value.sum().item(), device, Blind(), choose(quick=True)).latency
    assert isinstance(found.graph, Missing)
    assert found.graph.missing == "capture_failed"
    torch.cuda.empty_cache()  # torch before 2.12 forbade this after a capture that failed (pytorch#180395)
    again = measure(lambda: value + 1, device, Blind(), choose(quick=True)).latency
    assert known(again.graph).n > 0


def _one_of_each_family() -> list[str]:
    return sorted({entry.family: name for name, entry in catalogue.entries().items() if entry.input[1] == 224}.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", _one_of_each_family())
def test_every_family_can_be_captured_and_computes_the_same(name):
    model = registry.load_all()[name].build()
    image = torch.empty(1, 3, 224, 224, device="meta")
    lsuv_init(model, [image], {})
    workload = replace(RESNET18, model=name)
    device = available.resolve(NAME)
    with precision.applied(workload, NAME), prepared(model, [image], {}, workload, NAME) as step:
        for _ in range(3):
            step()
        replay = device.capture(step)
        assert device.agree(step(), replay())


def test_nothing_is_allocated_while_samples_are_taken(single):
    for mode in (single.latency.wall, single.latency.device, single.latency.graph):
        assert "allocator_active" not in known(mode).flags


def test_memory_holds_the_weights_and_grows_with_the_batch(single, wide):
    few, many = single.memory.peak_allocated_bytes, wide.memory.peak_allocated_bytes
    assert not isinstance(few, Missing)
    assert not isinstance(many, Missing)
    assert few > RESNET18_PARAMS * 4
    assert many > few + 64 * 3 * 224 * 224 * 4  # the images alone


@pytest.mark.parametrize(("requested", "least", "most"), [("fp32", 0.0, 1e-5), ("tf32", 1e-5, 1e-2)])
def test_precision_is_what_the_arithmetic_shows(requested, least, most):
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("no TF32 before Ampere")
    torch.manual_seed(0)
    convolution, image = nn.Conv2d(64, 64, 3, bias=False).to(NAME), torch.randn(4, 64, 56, 56, device=NAME)
    with precision.applied(replace(RESNET18, precision=requested), NAME), torch.no_grad():
        single = convolution(image)
        product = image.flatten(1)[:, :4096] @ image.flatten(1)[:, :4096].T
    with torch.no_grad():
        exact = nn.functional.conv2d(image.double(), convolution.weight.double())
    wide = image.double().flatten(1)[:, :4096]
    for got, truth in ((single, exact), (product, wide @ wide.T)):
        error = float((got - truth).norm() / truth.norm())
        assert least <= error <= most


def test_a_batch_that_does_not_fit_is_one_line():
    total = torch.cuda.get_device_properties(NAME).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e9 / total, NAME)
    try:
        with pytest.raises(CouldNotMeasure, match="batch 256 does not fit"):
            measured(replace(RESNET18, batch=256))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, NAME)


def test_replays_back_to_back_take_as_long_as_the_graph_says(wide):
    device = available.resolve(NAME)
    device.synchronize()
    start_s = device.now_s()
    for _ in range(50):
        wide.fastest()
    device.synchronize()
    each_s = (device.now_s() - start_s) / 50
    assert each_s == pytest.approx(known(wide.latency.graph).median_s, rel=0.05)
