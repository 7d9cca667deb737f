"""Predictions written down: of networks that no record has, inside the range; and calibrations of the card at hand."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from backbone_bench.predictor import choose
from backbone_bench.predictor.calibration import loads
from backbone_bench.records import Latencies, Missing, Record, store
from tools import calibrations, predictions
from tools.gpu_page import H200, CardPage
from tools.predictions import BATCHES, NETWORKS


def at_hand(folder: Path, records: list[Record]) -> CardPage:
    store.write(folder / "some.jsonl", store.dump_lines(records))
    return CardPage(str(folder), "gpu.md", "", "model")


def test_a_dozen_networks_are_predicted_of_which_there_is_no_record():
    measured = {record.workload.model for record in H200.records}
    assert len(NETWORKS) >= 12
    assert not measured & set(NETWORKS)
    assert not {row.model for row in choose("h200").calibration.rows} & set(NETWORKS)


def test_each_lies_inside_the_range_and_was_not_measured(tmp_path):
    found = predictions.predictions(at_hand(tmp_path, []))
    assert [(one.model, one.batch) for one in found] == [(name, batch) for batch in BATCHES for name in NETWORKS]
    assert not any(one.extrapolated for one in found)
    assert all(isinstance(one.measured, Missing) for one in found)
    assert predictions.verdict(found) == ""


def measured(name: str, record: Record, time_s: float) -> Record:
    """The record as if it were of another network with this device work."""
    assert isinstance(record.latency, Latencies)
    graph = record.latency.graph
    assert not isinstance(graph, Missing)
    again = replace(record.latency, graph=replace(graph, samples_s=(time_s,)))
    return replace(record, id=name, workload=replace(record.workload, model=name), latency=again)


def test_what_is_measured_later_stands_beside_it(tmp_path):
    one = next(record for record in H200.records if record.workload.batch == 1)
    expected = {found.model: found for found in predictions.predictions(at_hand(tmp_path, [])) if found.batch == 1}
    near = measured("resnet18", one, expected["resnet18"].time.value / 1.05)
    far = measured("vgg11", one, expected["vgg11"].time.value / 2)
    (tmp_path / "later").mkdir()
    found = predictions.predictions(at_hand(tmp_path / "later", [near, far]))
    results = list(predictions.compared(iter(found)))
    assert [round(one.error, 6) for one in results] == [0.05, 1.0]
    assert [one.inside for one in results] == [True, False]
    assert "2 were measured: mean error 52.5 %, worst +100.0 %, 1 inside the band." in predictions.verdict(found)


def test_a_card_is_calibrated_in_each_setting_in_which_the_default_set_ran(tmp_path):
    """As `make gpu-results` does in TF32: here the records of IEEE fp32, said to be a half faster."""
    names = {"resnet50", "vgg19", "densenet121", "resnext50_32x4d", "vovnet39"}
    records = [one for one in H200.records if one.workload.model in names and "224x224" in one.workload.inputs[0]]
    faster = []
    for one in records:
        assert isinstance(one.latency, Latencies)
        assert not isinstance(one.latency.graph, Missing)
        graph = replace(one.latency.graph, samples_s=tuple(s / 1.5 for s in one.latency.graph.samples_s))
        setting = replace(one.workload, precision="tf32")
        faster.append(replace(one, workload=setting, latency=replace(one.latency, graph=graph)))
    made = calibrations.at_hand(at_hand(tmp_path, [*records, *faster]))
    assert [Path(name).name for name in made] == ["h200-tf32.toml"]  # that of IEEE fp32 is shipped, with more rows
    (text,) = (make() for make in made.values())
    found = loads(text, "h200-tf32.toml")
    assert (found.name, found.conditions.precision) == ("h200", "tf32")
    assert found.constants.of("step_s") == pytest.approx(
        choose("h200").calibration.constants.of("step_s") / 1.5, rel=0.15
    )
    assert all(band.borrowed and math.isfinite(band.half_width) for band in found.bands)


def test_half_of_the_default_set_makes_no_calibration(tmp_path):
    records = [one for one in H200.records if one.workload.model in ("resnet50", "vgg19")]
    tf32 = [replace(one, workload=replace(one.workload, precision="tf32")) for one in records]
    assert calibrations.at_hand(at_hand(tmp_path, tf32)) == {}


@pytest.mark.parametrize(
    ("device", "name"),
    [("NVIDIA H200", "h200"), ("NVIDIA GeForce RTX 3090", "rtx3090"), ("NVIDIA H100 80GB HBM3", "h10080gbhbm3")],
)
def test_a_card_has_a_short_name(device, name):
    assert calibrations.short_name(device) == name
