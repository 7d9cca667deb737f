import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.run.fleet import events
from backbone_bench.run.fleet.events import EventLog, RowEvent
from tests.run.fleet.plans import planned


def state(tmp_path, happened, *, recorded=False, runs=False):
    log = [RowEvent(what, 1, at_s, "n1") for at_s, what in enumerate(happened)]
    return events.states(planned(tmp_path), [1] if recorded else [], log, lambda event: runs)[0]


@pytest.mark.parametrize(
    ("happened", "recorded", "runs", "expected"),
    [
        ([], False, False, "waiting"),
        ([], True, False, "done"),
        (["started"], False, True, "running"),
        (["started"], False, False, "lost"),
        (["started"], True, False, "done"),  # it ended between its record and its event
        (["started", "recorded"], True, False, "done"),
        (["started", "failed"], False, False, "failed"),
        (["started", "failed"], True, False, "done"),  # a machine that was given up has finished it
        (["refused"], False, False, "refused"),
        (["started", "lost"], False, False, "lost"),
        (["started", "lost", "started"], False, True, "running"),
        (["started", "lost", "started", "recorded"], True, False, "done"),
        (["refused", "started", "failed", "started"], True, True, "running"),
    ],
)
def test_the_state_of_a_row_follows_from_its_last_event(tmp_path, happened, recorded, runs, expected):
    assert state(tmp_path, happened, recorded=recorded, runs=runs).state == expected


def test_a_row_took_the_time_from_its_last_start_to_its_end(tmp_path):
    assert state(tmp_path, ["started", "lost", "started", "recorded"], recorded=True).took_s == 1
    assert state(tmp_path, ["started"], runs=True).took_s is None
    assert state(tmp_path, ["recorded"], recorded=True).took_s is None


@pytest.mark.parametrize("line", ["{}", "not JSON", '{"what":"started","row":0,"at_s":1.0,"node":null}'])
def test_a_damaged_event_is_told_with_its_file_and_line(tmp_path, line):
    made = planned(tmp_path)
    EventLog(made.output, "a").note("started", 1, "n1")
    with (events.folder(made.output) / "a.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UserError, match=r"a\.jsonl, line 2, is not an event"):
        events.read(made.output)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    made = planned(tmp_path)
    events.folder(made.output).touch()
    with pytest.raises(UserError, match="Cannot make the folder"):
        EventLog(made.output, "a")


def test_events_of_several_writers_are_read_by_time_and_without_a_line_that_was_cut_short(tmp_path):
    made = planned(tmp_path)
    first, second = EventLog(made.output, "a"), EventLog(made.output, "b")
    first.note("started", 1, "n1", job="7_0")
    second.note("started", 2, "n2")
    first.note("failed", 1, "n1", message="ran out of memory")
    with (events.folder(made.output) / "b.jsonl").open("a") as file:
        file.write('{"what":"recor')
    assert [(event.what, event.row) for event in events.read(made.output)] == [
        ("started", 1), ("started", 2), ("failed", 1),
    ]  # fmt: skip
