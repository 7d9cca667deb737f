"""The latency meter on a real card. None of this has run on one yet: each test is a check for the first that does."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from backbone_bench.errors import CouldNotMeasure
from backbone_bench.measure import devices, precision
from backbone_bench.measure.cards import watch_for
from backbone_bench.measure.latency import Measured, measure
from backbone_bench.measure.plan import choose
from backbone_bench.measure.protocols import Watch
from backbone_bench.measure.step import prepared
from backbone_bench.measure.timers import Pairs
from backbone_bench.measure.weights import settle
from backbone_bench.records import Latency, Missing, Workload
from backbone_bench.zoo import catalogue, registry

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device answers to torch"),
]
NAME = "cuda:0"
RESNET18 = Workload("resnet18", "zoo", {}, ("1x3x224x224:float32",), 1)


class Blind:
    """A watch that never looks."""

    def look(self) -> None: ...

    def verdict(self) -> Missing:
        return Missing("blind", "nobody looked")


def measured(workload: Workload = RESNET18, watch: Watch | None = None) -> Measured:
    device = devices.resolve(NAME)
    torch.manual_seed(workload.seed)
    model = registry.load_all()[workload.model].build()
    image = torch.empty(workload.batch, 3, 224, 224, device="meta")
    settle(model, [image], {}, batch=workload.batch)
    with precision.applied(workload, NAME), prepared(model, [image], {}, workload, NAME) as step:
        return measure(step, device, watch or watch_for(NAME), choose(cold=workload.cache == "cold"))


def known(latency: Latency | Missing) -> Latency:
    assert isinstance(latency, Latency), latency
    return latency


def test_auto_is_the_card():
    assert devices.resolve("auto").name == NAME


def test_events_read_twice_as_much_for_twice_the_work():
    device = devices.resolve(NAME)
    cycles = 5_000_000

    def median_s(times: int) -> float:
        samples_s = Pairs(lambda: torch.cuda._sleep(times * cycles), device, depth=8).take(50)
        return sorted(samples_s)[25]

    median_s(4)
    assert median_s(2) / median_s(1) == pytest.approx(2, rel=0.02)


def test_graph_below_device_below_wall():
    found = measured().latency
    wall_s, device_s, graph_s = (known(mode).median_s for mode in (found.wall, found.device, found.graph))
    assert graph_s <= device_s * 1.02
    assert device_s <= wall_s * 1.02


def test_a_large_batch_is_not_launch_bound():
    found = measured(replace(RESNET18, batch=64)).latency
    assert not isinstance(found.launch_bound, Missing)
    assert found.launch_bound < 0.1


def test_a_cold_cache_is_not_faster_than_a_warm_one():
    warm, cold = measured().latency.device, measured(replace(RESNET18, cache="cold")).latency.device
    assert known(cold).median_s >= known(warm).median_s * 0.99


def test_a_watch_changes_the_wall_time_by_less_than_one_percent():
    wide = replace(RESNET18, batch=32)
    rounds = [(known(measured(wide).latency.wall), known(measured(wide, Blind()).latency.wall)) for _ in range(3)]
    ratios = sorted(watched.median_s / blind.median_s for watched, blind in rounds)
    assert ratios[1] == pytest.approx(1, abs=0.01)


def test_a_short_step_is_replayed_several_times():
    value = torch.ones(1000, device=NAME)
    found = measure(lambda: value + 1, devices.resolve(NAME), Blind(), choose(quick=True)).latency
    graph = known(found.graph)
    assert graph.calls_per_sample > 1
    assert graph.median_s <= known(found.device).median_s


def test_a_step_that_waits_for_its_result_has_no_graph_and_does_no_harm():
    device, value = devices.resolve(NAME), torch.ones(1000, device=NAME)
    found = measure(lambda: value.sum().item(), device, Blind(), choose(quick=True)).latency
    assert isinstance(found.graph, Missing)
    assert found.graph.missing == "capture_failed"
    again = measure(lambda: value + 1, device, Blind(), choose(quick=True)).latency
    assert known(again.graph).n > 0


def _one_of_each_family() -> list[str]:
    return sorted({entry.family: name for name, entry in catalogue.entries().items() if entry.input[1] == 224}.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", _one_of_each_family())
def test_every_family_can_be_captured_and_computes_the_same(name):
    model = registry.load_all()[name].build()
    image = torch.empty(1, 3, 224, 224, device="meta")
    settle(model, [image], {})
    workload = replace(RESNET18, model=name)
    device = devices.resolve(NAME)
    with precision.applied(workload, NAME), prepared(model, [image], {}, workload, NAME) as step:
        for _ in range(3):
            step()
        replay = device.capture(step)
        assert device.agree(step(), replay())


def test_nothing_is_allocated_while_samples_are_taken():
    found = measured().latency
    for mode in (found.wall, found.device, found.graph):
        assert "allocator_active" not in known(mode).flags


def test_memory_holds_the_weights_and_repeats():
    first, second = (measured().memory.peak_allocated_bytes for _ in range(2))
    assert not isinstance(first, Missing)
    assert first > 11_689_512 * 4  # ResNet-18's parameters
    assert first == pytest.approx(second, rel=0.05)


@pytest.mark.parametrize(("wanted", "least", "most"), [("fp32", 0.0, 1e-5), ("tf32", 1e-5, 1e-2)])
def test_precision_is_what_the_arithmetic_shows(wanted, least, most):
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("no TF32 before Ampere")
    torch.manual_seed(0)
    convolution, image = nn.Conv2d(64, 64, 3, bias=False).to(NAME), torch.randn(4, 64, 56, 56, device=NAME)
    with precision.applied(replace(RESNET18, precision=wanted), NAME), torch.no_grad():
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


def test_training_has_a_wall_and_a_device_time():
    found = measured(replace(RESNET18, mode="train", batch=8)).latency
    assert known(found.device).median_s <= known(found.wall).median_s * 1.02


def test_replays_back_to_back_take_as_long_as_the_graph_says():
    found = measured(replace(RESNET18, batch=64))
    device = devices.resolve(NAME)
    device.synchronize()
    start_s = device.now_s()
    for _ in range(50):
        found.fastest()
    device.synchronize()
    each_s = (device.now_s() - start_s) / 50
    assert each_s == pytest.approx(known(found.latency.graph).median_s, rel=0.05)
