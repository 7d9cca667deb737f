"""Records as a data frame of whichever library is there; neither is a dependency."""

import sys
from types import ModuleType

import pytest

import backbone_bench
from backbone_bench import UserError
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.frame import frame_columns
from tests.report.samples import RESNET50, gpu_record


def test_each_record_is_a_row_in_base_units_and_what_is_missing_has_its_reason():
    made = gpu_record("a", 4, 0.001, batch=8)
    found = frame_columns([RESNET50, made])
    assert {len(values) for values in found.values()} == {2}
    assert found.keys() >= {*COLUMNS, "batch", "precision", "started_utc", "environment"}
    assert found["model"] == ["resnet50", "a"]
    assert found["batch"] == [1, 8]
    assert found["params"][0] == 25_557_032
    assert found["graph_s"] == [None, made.latency.graph.median_s]  # type: ignore[union-attr]
    assert "graph_s=no_graph" in str(found["missing"][0]).split()


@pytest.mark.parametrize(("there", "taken"), [(["pandas", "polars"], "pandas"), (["polars"], "polars")])
def test_the_library_that_is_there_makes_the_frame(monkeypatch, there, taken):
    monkeypatch.setattr("backbone_bench.api.find_spec", lambda name: name in there)
    for name in there:
        module = ModuleType(name)
        module.DataFrame = lambda columns, name=name: (name, columns)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    assert backbone_bench.frame(iter([RESNET50])) == (taken, frame_columns([RESNET50]))


def test_without_either_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("backbone_bench.api.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs pandas or polars"):
        backbone_bench.frame([RESNET50])


def test_a_record_is_one_line_in_a_notebook():
    assert repr(RESNET50) == (
        "<Record id-resne: resnet50, 1x3x224x224:float32, fp32, eval on Example CPU 3000, 2026-11-24T06:00:00Z>"
    )
