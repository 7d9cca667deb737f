"""Live rounds on a real GPU: two contexts, one at work at a time."""

from backbone_bench.records import Latencies, Latency
from tests.gpu.card import NAME, NEEDS_CARD
from tools.gpu_pairs import CYCLES, trial

pytestmark = NEEDS_CARD


def test_a_network_against_itself_has_a_ratio_of_one_and_its_turns_are_in_the_record(show):
    same = trial(0, 40, NAME)
    show(f"the same twice: {same}")
    assert 0.99 < same.found.ratio.estimate < 1.01
    record = same.records[0]
    assert record.live is not None
    assert record.live.discard == 2
    assert isinstance(record.latency, Latencies)
    assert isinstance(record.latency.graph, Latency)
    assert len(record.latency.graph.bursts_s) == len(record.live.start_s)
    assert "shared_gpu" not in same.found.flags


def test_some_cycles_more_are_found(show):
    slower = trial(CYCLES, 40, NAME)
    show(f"{CYCLES} cycles longer: {slower}")
    assert slower.found.ratio.low > 1
