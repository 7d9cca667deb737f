"""Every table that shows a flag explains it below."""

from dataclasses import replace
from typing import get_args

from backbone_bench.records import MEANINGS, STATUS_MEANINGS, Flag, Latencies, Latency, ModelCost, meanings
from backbone_bench.report.tables.formats import write
from backbone_bench.report.views.columns import COUNT, RUN
from backbone_bench.report.views.compare import View
from backbone_bench.report.views.render import answer
from tests.report.samples import counted, latency, record


def test_every_flag_has_a_meaning_and_nothing_else_has():
    assert set(get_args(Flag)) == set(MEANINGS)


def test_every_status_but_the_good_one_has_a_meaning():
    assert {"converged", *STATUS_MEANINGS} >= set(get_args(Latency.__annotations__["status"]))


def test_a_meaning_is_told_once_in_the_order_of_the_flags_and_of_a_strange_flag_none():
    text = meanings(["wall: quick, host_busy", "host_busy, of_another_version"])
    assert text == f"quick: {STATUS_MEANINGS['quick']}. host_busy: {MEANINGS['host_busy']}."
    assert meanings(["", "busy"]) == ""


def test_the_meanings_stand_below_a_table_for_the_flags_in_it_alone():
    busy = record("vovnet39", 7, 0.05)
    assert isinstance(busy.latency, Latencies)
    busy = replace(busy, latency=replace(busy.latency, wall=latency(0.05, flags=("host_busy",))))
    for form in ("md", "table"):
        shown = " ".join(write(answer([busy, record("resnet50", 4, 0.04)], View(RUN)), form).split())
        assert MEANINGS["host_busy"] in shown
        assert MEANINGS["thermal"] not in shown


def test_a_count_that_took_values_says_so_beside_its_figures():
    made = counted("net.py:Net", 7)
    assert isinstance(made.cost, ModelCost)
    on_cpu = replace(made, cost=replace(made.cost, path="cpu"))
    assert STATUS_MEANINGS["values_needed"] in " ".join(write(answer([on_cpu], View(COUNT)), "md").split())
    assert "values_needed" not in write(answer([made], View(COUNT)), "md")
