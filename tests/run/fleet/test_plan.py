import json

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.run.fleet import plan
from tests.run.fleet.plans import job, planned


def test_a_plan_is_read_as_it_was_written(tmp_path):
    made = planned(tmp_path, kinds=("a100", "h100"), words=("--partition=gpu",), variables={"OMP_NUM_THREADS": "3"})
    assert plan.read(made.output) == made
    assert plan.file(made.output).name == "sweep.plan.jsonl"


def test_rows_are_numbered_from_one_kind_by_kind(tmp_path):
    rows = planned(tmp_path, models=("one", "two"), kinds=("a100", "h100")).rows
    assert [(row.row, row.kind, row.job.model) for row in rows] == [
        (1, "a100", "one"), (2, "a100", "two"), (3, "h100", "one"), (4, "h100", "two"),
    ]  # fmt: skip


def test_what_is_asked_for_later_gets_new_numbers_and_renumbers_nothing(tmp_path):
    before = planned(tmp_path, models=("one", "two"))
    after = before.extended([job("two"), job("three"), job("one", batch=8), job("three")], [None])
    assert after.rows[:2] == before.rows
    assert [str(row) for row in after.rows[2:]] == ["three (fp32, cpu)", "one (fp32, cpu, batch 8)"]
    assert before.extended([], [None]) == before


def test_a_row_of_another_kind_of_card_is_another_row(tmp_path):
    assert len(planned(tmp_path, models=("one",)).extended([job("one")], ["a100"]).rows) == 2


def test_an_output_without_a_plan_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match=r"There is no plan .*sweep\.plan\.jsonl: `bench run … --fleet ENGINE -o"):
        plan.read(tmp_path / "sweep.jsonl")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda lines: [*lines, "{"], "line 5, is not of a plan"),
        (lambda lines: ["", *lines[1:]], "line 1, is not of a plan"),
        (lambda lines: [lines[0], *lines[2:]], "not numbered from 1 on"),
        (lambda lines: [lines[0].replace('"format":1', '"format":2'), *lines[1:]], "line 1, is not of a plan: format"),
    ],
)
def test_a_damaged_plan_is_refused_with_its_line(tmp_path, change, problem):
    path = plan.file(planned(tmp_path).output)
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(UserError, match=problem):
        plan.read(tmp_path / "sweep.jsonl")


def test_a_number_beyond_the_plan_is_refused(tmp_path):
    with pytest.raises(UserError, match="has the rows 1 to 3, and no row 4"):
        planned(tmp_path).row(4)


def test_every_line_of_a_plan_is_json_that_says_its_row(tmp_path):
    first, *rows = map(json.loads, plan.file(planned(tmp_path).output).read_text().splitlines())
    assert first["engine"] == "local"
    assert [row["job"]["model"] for row in rows] == ["one", "two", "three"]
