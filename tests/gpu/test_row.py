"""A complete record on a real GPU, as `bench run` makes it, and the lines of `bench doctor` about the GPU."""

import json

import jsonschema
import pytest

from backbone_bench import doctor
from backbone_bench.jobs.job import Job
from backbone_bench.records import Gpu, Latencies, Latency, Missing, Record, store
from backbone_bench.run.runner import run_isolated
from tests.gpu.card import NAME, NEEDS_CARD

pytestmark = NEEDS_CARD


def row(**setting) -> Record:
    """A quick record of ResNet-18, from a worker process."""
    job = Job("resnet18", {}, device=NAME, quick=True, energy="off", **setting)
    outcome = run_isolated(job, lambda phase, share: None)
    assert outcome.failure is None, outcome.failure
    assert outcome.record is not None
    return outcome.record


def latencies(record: Record) -> Latencies:
    assert isinstance(record.latency, Latencies), record.latency
    return record.latency


def test_a_row_has_its_three_latencies_its_memory_and_its_card_and_is_valid():
    record = row()
    found = latencies(record)
    assert all(isinstance(mode, Latency) for mode in (found.wall, found.device, found.graph)), found
    assert not isinstance(record.memory, Missing)
    assert not isinstance(record.memory.peak_allocated_bytes, Missing)
    card = record.environment.gpu
    assert isinstance(card, Gpu)
    assert isinstance(card.l2_bytes, int)
    assert isinstance(card.pci, str) or isinstance(card.uuid, str) or isinstance(card.driver, Missing)
    jsonschema.validate(json.loads(store.dumps([record]))["records"][0], store.schema())


@pytest.mark.parametrize(
    "setting",
    [
        {"precision": "fp16"},
        {"precision": "bf16"},
        {"precision": "amp"},
        {"memory_format": "channels_last"},
        {"batch": 8, "mode": "train"},
        pytest.param({"compile": "default"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_setting_can_be_captured_and_its_graph_computes_the_same(setting):
    graph = latencies(row(**setting)).graph
    assert isinstance(graph, Latency), graph
    assert "output_not_repeatable" not in graph.flags


@pytest.mark.slow
def test_a_compiler_that_takes_graphs_of_its_own_leaves_a_latency_or_a_reason():
    found = latencies(row(compile="reduce-overhead"))
    assert isinstance(found.wall, Latency)
    assert isinstance(found.device, Latency)
    if isinstance(found.graph, Missing):
        assert found.graph.missing in ("capture_failed", "graph_differs", "graph_unchecked")


def test_the_doctor_finds_events_and_graphs_in_good_order():
    grades = {line.topic: line.grade for line in doctor.examine()}
    assert grades[f"{NAME} events"] == grades[f"{NAME} graphs"] == "good"
