"""The table of trials, from trials that are made up."""

import json

import pytest

from tools import pairs_trials


def trials(path, *logs, **design):
    common = {"model": "net", "size": 96, "threads": 1, "seconds": 60, "percent": 0, "neighbour": True}
    with path.open("a") as file:
        for each in logs:
            print(json.dumps({"kind": "live", **common, **design, "logs": each, "cpu_logs": []}), file=file)


NOISE = [0.001, -0.001, 0.002, -0.002, 0.0015, -0.0015]


def test_the_table_has_the_spread_the_coverage_and_what_a_shift_would_show(tmp_path):
    path = tmp_path / "trials.jsonl"
    trials(path, NOISE, [one + 0.01 for one in NOISE], kind="live")
    trials(path, [10 * one for one in NOISE], kind="fresh")
    header, _, live, fresh = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in pairs_trials.summary(path).splitlines()
    )
    found = dict(zip(header, live, strict=True))
    # Two trials at 0 and 1 %: their standard deviation is 1 % / √2; the second is found as a false alarm.
    assert (found["trials"], found["rounds each"], found["sd"], found["covered"]) == ("2", "6.0", "0.71 %", "1/2")
    assert found["bias"] == "+0.50 ± 0.50 %"
    assert (found["+1 %"], found["+5 %"], found["false alarms (95 % CI)"].split()[0]) == ("2", "2", "1")
    other = dict(zip(header, fresh, strict=True))
    assert (other["+1 %"], other["+5 %"]) == ("0", "1")


def test_a_slowed_side_is_no_false_alarm_and_its_bias_is_from_the_truth(tmp_path):
    path = tmp_path / "trials.jsonl"
    trials(path, *[[0.01981 + one for one in NOISE]] * 2, percent=2)
    row = pairs_trials.summary(path).splitlines()[-1].split("|")
    assert row[-2].strip() == ""
    assert row[9].strip() == "+0.00 ± 0.00 %"


def test_trials_go_on_where_they_ended(tmp_path, monkeypatch, capsys):
    path = tmp_path / "trials.jsonl"
    design = pairs_trials.Design("live", "net", 96, 1, 60, 0, False)
    monkeypatch.setattr(pairs_trials, "trial", lambda design: {**design._asdict(), "logs": NOISE, "cpu_logs": []})
    pairs_trials.run(path, [design], 2)
    pairs_trials.run(path, [design], 3)
    assert len(pairs_trials.read(path)) == 3


def test_the_interval_of_a_share_is_that_of_wilson():
    """Wilson 1927: 1 of 30."""
    assert pairs_trials.wilson(1, 30) == pytest.approx((0.0059, 0.1667), abs=1e-4)
