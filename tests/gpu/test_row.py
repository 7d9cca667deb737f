"""A complete record on a real GPU, as `bench run` makes it, and the lines of `bench doctor` about the GPU."""

import json

import pytest

from backbone_bench import doctor, profiler
from backbone_bench.jobs.job import Job
from backbone_bench.records import Energy, Gpu, Latencies, Latency, Missing, Record, store
from backbone_bench.run.runner import run_isolated
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD


def job(**setting) -> Job:
    return Job("resnet18", {}, device=NAME, quick=True, **{"energy": "off", **setting})


def isolated(**setting) -> Record:
    """A quick record of ResNet-18, from a worker process: 5 to 10 s more than one from this process."""
    outcome = run_isolated(job(**setting), lambda phase, share: None)
    assert outcome.failure is None, outcome.failure
    assert outcome.record is not None
    return outcome.record


def row(**setting) -> Record:
    """A quick record of ResNet-18, from this process."""
    return profiler.profile(job(**setting), lambda phase, share: None, lambda record: None)


@pytest.fixture(scope="module")
def usual() -> Record:
    return isolated()


def latencies(record: Record) -> Latencies:
    assert isinstance(record.latency, Latencies), record.latency
    return record.latency


def test_a_row_has_its_three_latencies_its_memory_and_its_card(usual):
    found = latencies(usual)
    assert all(isinstance(mode, Latency) for mode in (found.wall, found.device, found.graph)), found
    assert not isinstance(usual.memory, Missing)
    assert not isinstance(usual.memory.peak_allocated_bytes, Missing)
    card = usual.environment.gpu
    assert isinstance(card, Gpu)
    assert isinstance(card.l2_bytes, int)
    assert isinstance(card.pci, str) or isinstance(card.uuid, str) or isinstance(card.driver, Missing)


def test_a_row_is_valid(usual):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(store.dumps([usual]))["records"][0], store.schema())


def test_energy_is_that_of_replays_and_apart_from_it_that_of_calls_that_are_waited_for(show):
    """Between two calls that are waited for the card draws power and computes nothing."""
    record = row(energy="auto", energy_of="both")
    if isinstance(record.energy, Missing):
        pytest.skip(record.energy.message)
    assert isinstance(record.wall_energy, Energy), record.wall_energy
    replays, waited = record.energy, record.wall_energy
    show(f"energy of an image: {replays.gross_per_image_j:.4f} J replayed, {waited.gross_per_image_j:.4f} J waited for")
    assert (replays.mode, waited.mode) == ("graph", "wall")
    assert replays.gross_per_image_j < waited.gross_per_image_j


@pytest.mark.parametrize(
    "setting",
    [
        {"precision": "fp16"},
        {"precision": "bf16"},
        {"precision": "amp"},
        {"memory_format": "channels_last"},
        {"batch": 8, "mode": "train"},
        {"batch": 8, "mode": "train", "optimizer": "sgd"},
        pytest.param({"compile": "default"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_setting_can_be_captured_and_its_graph_computes_the_same(setting):
    # Where warnings of torch are errors, as here, training and compilers may not run in this process.
    made = isolated if setting.keys() & {"mode", "compile"} else row
    graph = latencies(made(**setting)).graph
    assert isinstance(graph, Latency), graph
    assert "output_not_repeatable" not in graph.flags


def test_a_training_step_allocates_what_was_counted_and_the_kernels_workspace(show):
    record = isolated(batch=32, mode="train")
    assert not isinstance(record.cost, Missing)
    assert not isinstance(record.memory, Missing)
    allocated, peak = record.memory.peak_allocated_bytes, record.cost.peak_activation_bytes
    assert isinstance(allocated, int), allocated
    assert isinstance(peak, int), peak
    counted = record.cost.params_bytes + peak
    show(f"a training step allocates {allocated / counted:.2f} of what was counted")
    assert 0.95 < allocated / counted < 1.5


@pytest.mark.slow
def test_a_compiler_that_takes_graphs_of_its_own_leaves_a_latency_or_a_reason():
    found = latencies(isolated(compile="reduce-overhead"))
    assert isinstance(found.wall, Latency)
    assert isinstance(found.device, Latency)
    if isinstance(found.graph, Missing):
        assert found.graph.missing in ("capture_failed", "graph_differs", "graph_unchecked")


def test_the_doctor_finds_events_and_graphs_in_good_order():
    grades = {line.topic: line.grade for line in doctor.examine()}
    assert grades[f"{NAME} events"] == grades[f"{NAME} graphs"] == "good"
