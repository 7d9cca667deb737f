"""The driver, with engines that are scripts: what it does about an end, and that each row is recorded once."""

from collections import deque
from contextlib import contextmanager

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.records import store
from backbone_bench.run.fleet import events
from backbone_bench.run.fleet.drive import Driven, Ended, Lost, Refused, Started, Stranded, drive
from backbone_bench.run.fleet.plan import Row
from backbone_bench.run.messages import Failed
from backbone_bench.run.runner import JobResult
from tests.run.fleet.plans import made, planned


class Script:
    """Places that do with each row what the script says, the same every time that it is handed over."""

    def __init__(self, of, script):
        self.of, self.script = of, {number: deque(happens) for number, happens in script.items()}
        self.waiting: deque[Row] = deque()
        self.avoided: list[tuple[int, frozenset[str]]] = []

    def submit(self, row, avoid):
        self.waiting.append(row)
        self.avoided.append((row.row, frozenset(avoid)))

    def next(self):
        row = self.waiting.popleft()
        happening = self.script[row.row].popleft() if row.row in self.script else ends(self.of, row)
        if isinstance(happening, UserError):
            raise happening
        if callable(happening):
            happening = happening(row)
        if isinstance(happening, Started):
            self.waiting.append(row)
        return happening


def ends(of, row, node="n1"):
    return Ended(row, node, JobResult(row.job, made(of, row.row, node=node)))


def driven(of, script, rows=None):
    places = Script(of, script)
    said: list[str] = []

    @contextmanager
    def opened(plan):
        yield places

    found = drive(of, of.rows if rows is None else rows, opened, said.append, lambda ended, row: None)
    return found, places, said


def recorded(of):
    return [record.placement.row for record in store.read([of.output], pytest.fail) if record.placement]


def test_every_row_is_recorded_once_in_the_order_of_its_end(tmp_path):
    of = planned(tmp_path)
    found, _, said = driven(of, {1: [lambda row: Started(row, "n1"), lambda row: ends(of, row)]})
    assert found == Driven(3, ())
    assert recorded(of) == [2, 3, 1]
    assert said == []
    assert [event.what for event in events.read(of.output) if event.row == 1] == ["started", "recorded"]


def test_a_lost_row_is_handed_over_again_without_the_lost_node(tmp_path):
    of = planned(tmp_path)
    lost = lambda row: Lost(row, "n2", "its node is gone")  # noqa: E731
    found, places, said = driven(of, {2: [lost, lambda row: ends(of, row)]})
    assert found == Driven(3, ())
    assert sorted(recorded(of)) == [1, 2, 3]
    assert places.avoided[-1] == (2, frozenset({"n2"}))
    assert said == ["Row 2 (two (fp32, cpu)) is lost: its node is gone."]


def test_a_row_that_takes_down_three_machines_fails(tmp_path):
    of = planned(tmp_path)
    lost = [lambda row, n=n: Lost(row, f"n{n}", "its node is gone") for n in range(3)]
    found, _, _ = driven(of, {1: lost})
    assert found.done == 2
    assert [(row.row, why) for row, why in found.failed] == [
        (1, "was lost 3 times, the last time because its node is gone")
    ]
    assert found.exit_code == 3


def test_a_node_that_refuses_is_named_once_and_left_out_for_all_rows(tmp_path):
    of = planned(tmp_path)
    refused = lambda row: Refused(row, "n3", ("torch 2.12 instead of 2.13",))  # noqa: E731
    again = lambda row: ends(of, row)  # noqa: E731
    found, places, said = driven(of, {1: [refused, again], 3: [refused, again]})
    assert found == Driven(3, ())
    assert said == ["n3 is not used: torch 2.12 instead of 2.13."]
    assert [avoid for _, avoid in places.avoided[3:]] == [{"n3"}, {"n3"}]


def test_a_row_without_any_node_left_fails_with_the_reason(tmp_path):
    of = planned(tmp_path)
    found, _, _ = driven(of, {2: [lambda row: Stranded(row, "no node has an a100")]})
    assert [(row.row, why) for row, why in found.failed] == [(2, "no node has an a100")]
    assert sorted(recorded(of)) == [1, 3]


def test_a_row_that_fails_keeps_what_was_measured_and_is_not_tried_again(tmp_path):
    of = planned(tmp_path)
    failure = Failed("ran out of memory", 3)
    broken = lambda row: Ended(row, "n1", JobResult(row.job, made(of, row.row), failure))  # noqa: E731
    unstarted = lambda row: Ended(row, "n1", JobResult(row.job, None, failure))  # noqa: E731
    found, places, _ = driven(of, {1: [broken], 2: [unstarted]})
    assert [row.row for row, _ in found.failed] == [1, 2]
    assert sorted(recorded(of)) == [1, 3]
    assert len(places.avoided) == 3


def test_a_full_disk_ends_the_drive_and_keeps_what_is_written(tmp_path):
    of = planned(tmp_path)
    found, _, _ = driven(of, {2: [UserError("Cannot write sweep.jsonl: No space left on device.")]})
    assert recorded(of) == [1]
    assert found.exit_code == 2


def test_only_the_rows_that_are_left_are_driven(tmp_path):
    of = planned(tmp_path)
    driven(of, {}, rows=of.rows[:1])
    driven(of, {}, rows=of.rows[1:])
    assert recorded(of) == [1, 2, 3]
