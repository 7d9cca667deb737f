"""The latency meter on a real GPU.

Plans are quick: at most 2.5 s a mode, so 8 s for a step in all three modes.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import nn

from backbone_bench.base.choices import LatencyMode
from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.measure.call import precision
from backbone_bench.measure.call.step import prepared
from backbone_bench.measure.call.weights import lsuv_init
from backbone_bench.measure.devices import available
from backbone_bench.measure.latency.meter import MeasuredLatency, measure
from backbone_bench.measure.latency.plan import ALL_MODES, choose
from backbone_bench.measure.latency.timers import Pairs
from backbone_bench.measure.nvml.find import watch_for
from backbone_bench.measure.protocols import Step, Watcher
from backbone_bench.records import Latency, Missing, Workload
from backbone_bench.zoo import catalogue, registry
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD
RESNET18_PARAMS = 11_689_512
RESNET18 = Workload("resnet18", {}, source="zoo", inputs=("1x3x224x224:float32",), batch=1)


class Blind:
    """A watcher that never polls."""

    def poll(self) -> None: ...

    def held_back_s(self) -> Missing:
        return Missing("blind", "nobody watches")

    def holds_back(self) -> bool:
        return False

    def verdict(self) -> Missing:
        return Missing("blind", "the device was not polled")


@contextmanager
def ready(workload: Workload) -> Iterator[Step]:
    """The call of a workload's model, with the weights that `bench run` gives it."""
    torch.manual_seed(workload.seed)
    model = registry.load_all()[workload.model].build()
    image = torch.empty(workload.batch, 3, 224, 224, device="meta")
    lsuv_init(model, [image], {}, batch=workload.batch)
    with precision.applied(workload, NAME), prepared(model, [image], {}, workload, NAME) as step:
        yield step


def timed(
    step: Step, *modes: LatencyMode, watch: Watcher | None = None, launches: int | None = None, cold: bool = False
) -> MeasuredLatency:
    """Quick latencies of a step in these modes; in all of them if none is named."""
    plan = replace(choose(quick=True, cold=cold), modes=modes or ALL_MODES, launches=launches)
    return measure(step, available.resolve(NAME), watch or Blind(), plan)


def measured(workload: Workload) -> MeasuredLatency:
    with ready(workload) as step:
        return timed(step, watch=watch_for(NAME))


@pytest.fixture(scope="module")
def single() -> MeasuredLatency:
    """ResNet-18 on one image."""
    return measured(RESNET18)


@pytest.fixture(scope="module")
def wide() -> MeasuredLatency:
    """ResNet-18 on 64 images."""
    return measured(replace(RESNET18, batch=64))


def known(latency: Latency | Missing) -> Latency:
    assert isinstance(latency, Latency), latency
    return latency


def test_graph_below_device_below_wall(single, show):
    found = single.latency
    wall, device, graph = (known(mode) for mode in (found.wall, found.device, found.graph))
    show(f"resnet18: {milliseconds(wall)} wall, {milliseconds(device)} device, {milliseconds(graph)} graph")
    assert device.method == "filled_queue", device.not_filled
    assert interval(device)[0] <= interval(wall)[1]
    assert graph.median_s <= device.median_s * 1.02


def milliseconds(latency: Latency) -> str:
    return f"{latency.median_s * 1e3:.3f} ms"


def interval(latency: Latency) -> tuple[float, float]:
    assert not isinstance(latency.ci95_s, Missing), latency.ci95_s
    return latency.ci95_s


PAUSE_S, KERNELS = 200e-6, 50


def slow_host() -> Step:
    """A call of 50 kernels of some microseconds each, with a host that needs 200 µs to launch the next."""
    value = torch.ones(1 << 22, device=NAME)

    def step() -> torch.Tensor:
        for _ in range(KERNELS):
            value.mul_(1.0)
            launched_s = time.perf_counter()
            while time.perf_counter() < launched_s + PAUSE_S:
                pass
        return value

    return step


def test_the_device_latency_of_a_slow_host_is_the_devices_work(show):
    found = timed(slow_host()).latency
    wall, device, graph = (known(mode) for mode in (found.wall, found.device, found.graph))
    show(f"slow host: {milliseconds(wall)} wall, {milliseconds(device)} device, {milliseconds(graph)} graph")
    assert device.method == "filled_queue", device.not_filled
    assert wall.median_s >= KERNELS * PAUSE_S
    assert device.median_s <= wall.median_s / 3
    # Launched one by one, kernels have gaps of a microsecond or two between them.
    assert graph.median_s * 0.98 <= device.median_s <= graph.median_s * 1.5


def test_a_call_that_waits_for_its_result_cannot_wait_in_the_queue():
    value = torch.ones(1000, device=NAME)
    device = known(timed(lambda: value.sum().item(), "device").latency.device)
    assert device.method == "eager_events"
    assert device.not_filled is not None
    assert device.not_filled.missing == "not_all_waited"


@pytest.mark.parametrize(
    ("launches", "why"), [(5000, "too_many_launches"), (None, "not_all_waited")], ids=["counted", "not counted"]
)
def test_more_launches_than_the_queue_holds_are_timed_eagerly_and_hang_nothing(launches, why):
    value = torch.ones(1000, device=NAME)

    def step() -> None:
        for _ in range(5000):
            value.mul_(1.0)

    device = known(timed(step, "device", launches=launches).latency.device)
    assert device.method == "eager_events"
    assert device.not_filled is not None
    assert device.not_filled.missing == why


def test_a_hold_lasts_about_as_long_as_it_should(show):
    device = available.resolve(NAME)
    start, end = device.event(), device.event()
    device.hold(0.01)  # the first one learns the rate of the clock
    start.record()
    device.hold(0.01)
    end.record()
    end.wait()
    show(f"a hold of 10 ms: {end.elapsed_s_since(start) * 1e3:.2f} ms")
    assert end.elapsed_s_since(start) == pytest.approx(0.01, rel=0.2)


def test_one_image_is_launch_bound_and_a_large_batch_is_not(single, wide):
    few, many = single.latency.launch_bound, wide.latency.launch_bound
    assert not isinstance(few, Missing)
    assert not isinstance(many, Missing)
    assert many < 0.1
    assert many < few


@pytest.mark.parametrize(("requested", "least", "most"), [("fp32", 0.0, 1e-5), ("tf32", 1e-5, 1e-2)])
def test_precision_is_what_the_arithmetic_shows(requested, least, most):
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("no TF32 before Ampere")
    torch.manual_seed(0)
    convolution, image = nn.Conv2d(64, 64, 3, bias=False).to(NAME), torch.randn(4, 64, 56, 56, device=NAME)
    # Two unlike matrices: in `left @ left.T` a sum of squares on the diagonal hides the error of the other entries.
    left, right = torch.randn(256, 4096, device=NAME), torch.randn(4096, 256, device=NAME)
    with precision.applied(replace(RESNET18, precision=requested), NAME), torch.no_grad():
        convolved, product = convolution(image), left @ right
    with torch.no_grad():
        exact = nn.functional.conv2d(image.double(), convolution.weight.double())
    for got, truth in ((convolved, exact), (product, left.double() @ right.double())):
        error = float((got - truth).norm() / truth.norm())
        assert least <= error <= most


def searches(table_bytes: int) -> Step:
    """Binary searches one after another in a sorted table: all that they do is wait for memory.

    A cache read at full rate would not show it: on an NVIDIA H200 the memory is nearly as fast as the cache then.
    """
    table = torch.arange(table_bytes // 4, dtype=torch.float32, device=NAME)
    torch.manual_seed(0)
    queries = [torch.rand(32, device=NAME) * len(table) for _ in range(20)]

    def step() -> torch.Tensor:
        for query in queries:
            found = torch.searchsorted(table, query)
        return found

    return step


def test_a_step_whose_data_fit_in_the_cache_is_slower_when_that_is_flushed(show):
    cache_bytes = available.resolve(NAME).cache_bytes
    if isinstance(cache_bytes, Missing):
        pytest.skip(cache_bytes.message)
    step = searches(cache_bytes // 4)
    # By graphs: in eager calls the launches would hide the difference.
    warm_s, cold_s = (known(timed(step, "graph", cold=cold).latency.graph).median_s for cold in (False, True))
    show(f"searches: {warm_s * 1e6:.1f} µs with a warm cache, {cold_s * 1e6:.1f} µs with a cold one")
    assert cold_s >= warm_s * 1.1


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


def test_a_short_step_is_replayed_several_times():
    value = torch.ones(1000, device=NAME)
    found = timed(lambda: value + 1).latency
    graph = known(found.graph)
    assert graph.calls_per_sample > 1
    assert graph.median_s <= known(found.device).median_s


def test_a_step_that_waits_for_its_result_has_no_graph_and_does_no_harm():
    value = torch.ones(1000, device=NAME)
    found = timed(lambda: value.sum().item(), "graph").latency
    assert isinstance(found.graph, Missing)
    assert found.graph.missing == "capture_failed"
    torch.cuda.empty_cache()  # torch before 2.12 forbade this after a capture that failed (pytorch#180395)
    again = timed(lambda: value + 1, "graph").latency
    assert known(again.graph).n > 0


def test_a_watch_changes_the_wall_time_by_less_than_one_percent():
    with ready(replace(RESNET18, batch=32)) as step:

        def wall_s(watch: Watcher) -> float:
            return known(timed(step, "wall", watch=watch).latency.wall).median_s

        ratios = sorted(wall_s(watch_for(NAME)) / wall_s(Blind()) for _ in range(3))
    assert ratios[1] == pytest.approx(1, abs=0.01)


def test_nothing_is_allocated_while_samples_are_taken(single):
    for mode in (single.latency.wall, single.latency.device, single.latency.graph):
        assert "allocator_active" not in known(mode).flags


def test_memory_holds_the_weights_and_grows_with_the_batch(single, wide):
    few, many = single.memory.peak_allocated_bytes, wide.memory.peak_allocated_bytes
    assert not isinstance(few, Missing)
    assert not isinstance(many, Missing)
    assert few > RESNET18_PARAMS * 4
    assert many > few + 64 * 3 * 224 * 224 * 4  # the images alone


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
