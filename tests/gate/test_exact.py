"""The exact comparison of counts, which are the same on every machine."""

from dataclasses import replace

from backbone_bench.gate import exact
from backbone_bench.gate.verdicts import GateVerdict
from backbone_bench.records import Missing
from tests.gate.samples import COST, WIDER, op


def test_a_model_compared_with_itself_passes():
    (found,) = exact.compare("net", COST, COST)
    assert found.verdict is GateVerdict.PASS


def test_a_widened_convolution_is_changed_and_its_module_comes_first():
    found = exact.compare("net", COST, WIDER)
    assert {one.verdict for one in found} == {GateVerdict.CHANGED}
    assert [one.metric for one in found] == ["params", "flops", "access_elems", "traffic_elems", "shapes_sha256"]
    assert [(row.module, row.flops, row.traffic_elems) for row in found[0].moved] == [
        ("stage.conv", 40_000_000, 300_000),
        ("stage", 0, 300_000),
    ]


def test_a_cheaper_model_is_changed_too_and_said_to_be_better():
    assert exact.compare("net", WIDER, COST)[0].reason.startswith("better")


def test_where_it_moved_adds_up_to_the_change_of_the_whole():
    moved = exact.moved(COST, WIDER)
    assert sum(row.flops for row in moved) == WIDER.flops - COST.flops
    assert sum(row.traffic_elems for row in moved) == WIDER.traffic_elems - COST.traffic_elems


def test_a_module_that_came_or_went_is_said_to_have():
    longer = replace(COST, by_op=(*COST.by_op, op("extra.conv", "convolution", 5, 5)))
    assert [(row.module, row.state) for row in exact.moved(COST, longer)] == [("extra.conv", "added")]
    assert [(row.module, row.state) for row in exact.moved(longer, COST)] == [("extra.conv", "removed")]


def test_a_reshaped_parameter_is_changed_though_every_count_is_the_same():
    (found,) = exact.compare("net", COST, replace(COST, shapes_sha256="c" * 64))
    assert (found.metric, found.verdict, found.moved) == ("shapes_sha256", GateVerdict.CHANGED, ())


def test_a_digest_that_was_not_kept_proves_nothing():
    older = replace(COST, shapes_sha256=Missing("not_read", "not read"))
    assert exact.compare("net", older, COST)[0].verdict is GateVerdict.PASS


def test_what_could_not_be_counted_is_missing_and_what_had_no_counts_is_new():
    lost = Missing("failed", "out of memory")
    assert exact.compare("net", COST, lost)[0].verdict is GateVerdict.MISSING
    assert exact.compare("net", lost, COST)[0].verdict is GateVerdict.NEW


def test_what_moved_most_comes_first_whichever_way_it_moved():
    narrower = replace(
        COST, by_op=(*COST.by_op[:2], op("stage", "relu", 9, 300_000), op("head.fc", "linear", 0, 60_000))
    )
    assert [row.module for row in exact.moved(COST, narrower)] == ["head.fc", "stage"]
