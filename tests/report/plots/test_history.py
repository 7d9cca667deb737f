"""The plot of histories: levels relative to the first, change points with their commits, one panel a quantity."""

from dataclasses import replace
from itertools import pairwise

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.records import ModelCommit, Record, store
from backbone_bench.report.drawing import svg
from backbone_bench.report.plots import history
from backbone_bench.report.views.history import courses
from tests.cli.conftest import bench
from tests.gate.samples import COST, WIDER, timed

__all__ = ["bench"]

NOISE = (0.0, 0.01, -0.01, 0.005, -0.005, 0.0, 0.01)


def days(model: str, first_slow: int, count: int = 20, **changes: object) -> list[Record]:
    return [
        timed(
            0.04 * (1 + NOISE[n % 7]) * (1.25 if n >= first_slow else 1),
            model,
            started_utc=f"2026-11-{n + 1:02}T06:00:00Z",
            model_commit=ModelCommit(f"{n:040x}"[::-1], dirty=False),
            **changes,
        )
        for n in range(count)
    ]


def test_a_plot_marks_the_change_points_of_all_histories_with_model_and_commit():
    plot = history.draw(courses([*days("resnet18", 12), *days("vgg16", 99)]))
    (panel,) = plot.panels
    (change,) = panel.points
    assert change.label == "resnet18 c00000000"
    assert change.x == -7  # days before the newest record
    assert change.y == pytest.approx(25, abs=1)
    assert {line.series for line in panel.lines} == {"resnet", "vgg"}
    assert "resnet18 c00000000" in svg.file(plot)


def test_what_never_changed_is_one_level_at_zero():
    (panel,) = history.draw(courses(days("vgg16", 99))).panels
    (line,) = panel.lines
    assert panel.points == ()
    assert [y for _, y in line.points] == [0, 0]


def test_a_count_that_changed_is_a_step_at_the_commit():
    records = [replace(one, cost=COST if n < 5 else WIDER) for n, one in enumerate(days("net", 99, 8))]
    (panel,) = history.draw(courses(records, "params")).panels
    (change,) = panel.points
    assert change.y == pytest.approx(20)
    levels = panel.lines[-1].points
    assert all(before[0] <= after[0] for before, after in pairwise(levels))
    assert [round(y) for _, y in levels] == [0, 0, 20, 20]


def test_a_history_within_two_days_is_in_hours_and_one_record_is_none():
    records = [timed(0.04, started_utc=f"2026-11-24T{hour:02}:00:00Z") for hour in (6, 9)]
    (panel,) = history.draw(courses(records)).panels
    assert panel.x.title == "hours before 2026-11-24 09:00 UTC"
    with pytest.raises(UserError, match="two records"):
        history.draw(courses(records[:1]))


def test_the_command_writes_the_plot_beside_the_table(bench, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(store.dump_lines(days("resnet18", 12)))
    output = bench("history", path, "--plot", tmp_path / "history.svg")
    assert output.code == 0, output.err
    assert "Change points: +25" in output.out
    assert (tmp_path / "history.svg").read_text().startswith("<svg")
    assert "must be .svg or .png or .pdf" in bench("history", path, "--plot", tmp_path / "history.gif").err
