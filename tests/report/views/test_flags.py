"""Every table that shows a flag explains it below."""

from dataclasses import replace
from typing import get_args

from backbone_bench.records import FLAGS, Flag, Latencies, ModelCost, meanings
from backbone_bench.records.flags import Finding
from backbone_bench.report.tables.formats import write
from backbone_bench.report.views.columns import COUNT, RUN
from backbone_bench.report.views.compare import View
from backbone_bench.report.views.render import answer
from tests.report.samples import counted, latency, record


def test_every_flag_has_a_meaning_and_nothing_else_has():
    assert {*get_args(Flag), *get_args(Finding)} == set(FLAGS)


def test_a_meaning_is_told_once_in_the_order_of_the_flags_and_of_a_strange_flag_none():
    text = meanings(["wall: quick, host_busy", "host_busy, of_another_version"])
    assert text == f"quick: {FLAGS['quick'].meaning}. host_busy: {FLAGS['host_busy'].meaning}."
    assert meanings(["", "busy"]) == ""


def test_the_meanings_stand_below_a_table_for_the_flags_in_it_alone():
    busy = record("vovnet39", 7, 0.05)
    assert isinstance(busy.latency, Latencies)
    busy = replace(busy, latency=replace(busy.latency, wall=latency(0.05, flags=("host_busy",))))
    for form in ("md", "table"):
        shown = " ".join(write(answer([busy, record("resnet50", 4, 0.04)], View(RUN)), form).split())
        assert FLAGS["host_busy"].meaning in shown
        assert FLAGS["thermal"].meaning not in shown


def test_a_count_that_took_values_says_so_beside_its_figures():
    made = counted("net.py:Net", 7)
    assert isinstance(made.cost, ModelCost)
    on_cpu = replace(made, cost=replace(made.cost, path="cpu"))
    assert FLAGS["values_needed"].meaning in " ".join(write(answer([on_cpu], View(COUNT)), "md").split())
    assert "values_needed" not in write(answer([made], View(COUNT)), "md")
