"""Progress on stderr: bar, lines, time left, and how often a worker process reports a phase."""

import io

import pytest
from rich.console import Console

from backbone_bench.base.progress import within
from backbone_bench.base.units import span
from backbone_bench.cli.progress.bar import bar
from backbone_bench.cli.progress.lines import ProgressLines, Silent, TimeLeft
from backbone_bench.run import worker
from backbone_bench.run.messages import Phase, WorkerMessage


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5999, "100 min"), (6000, "1.7 h"), (36000, "10.0 h")],
)
def test_a_span_is_said_in_the_unit_that_suits_it(seconds, words):
    assert span(seconds) == words


def test_the_time_left_is_what_the_rest_takes_at_the_same_pace():
    clock = iter([100.0, 130.0])
    left = TimeLeft(lambda: next(clock))
    assert left.text(0) == ""
    assert left.text(0.25) == "about 90 s"


def test_off_a_terminal_a_row_is_a_line_and_its_phases_are_silent(capsys):
    lines = ProgressLines()
    on_progress = lines.row("resnet18 (cpu)", 1, 2)
    on_progress("counting", 0.0)
    lines.row("resnet34 (cpu)", 2, 2)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "[1/2] resnet18 (cpu)"
    assert second.startswith("[2/2] resnet34 (cpu) (about ")


def test_whoever_wants_more_gets_a_line_a_phase(capsys):
    on_progress = ProgressLines(verbose=True).row("resnet18", 1, 1)
    for phase, share in (("counting", 0.0), ("wall: sampling", 0.1), ("wall: sampling", 0.9)):
        on_progress(phase, share)
    assert capsys.readouterr().err == "[1/1] resnet18\n  counting\n  wall: sampling\n"


def test_off_a_terminal_a_round_is_a_line(capsys):
    on_progress = ProgressLines().whole("a against b")
    for done, side in enumerate("AB"):
        in_round = within(on_progress, f"round 1, {side}", done, 2)
        for phase, share in (("counting", 0.0), ("wall: sampling", 0.4)):
            in_round(phase, share)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" (about")[0] for line in lines] == ["a against b", "round 1, A", "round 1, B"]


def test_off_a_terminal_a_step_may_hold_a_colon_and_a_phase_without_a_step_is_a_line(capsys):
    on_progress = ProgressLines().whole("gate")
    within(on_progress, "net.py:Net, process 1", 0, 2)("wall: sampling", 0.0)
    on_progress("wall: sampling", 0.0)
    assert capsys.readouterr().err == "gate\nnet.py:Net, process 1\nwall: sampling\n"


def test_quiet_still_says_what_went_wrong(capsys):
    silent = Silent()
    silent.row("resnet18", 1, 1)("counting", 0.0)
    silent.say("it was killed")
    assert capsys.readouterr().err == "it was killed\n"


def test_the_bar_shows_row_phase_and_share_and_takes_names_as_they_are():
    stream = io.StringIO()
    with bar(Console(file=stream, force_terminal=True, width=120, color_system=None)) as moving:
        moving.row("[red]m.py:Net\x1b[31m", 2, 4)("wall: sampling", 0.4)
        moving.say("bench: [bold] failed")
    shown = stream.getvalue()
    assert "[2/4] [red]m.py:Net" in shown
    assert "wall: sampling 40%" in shown
    assert "\x1b[31m" not in shown
    assert "bench: [bold] failed" in shown


def test_a_worker_tells_a_new_phase_at_once_and_its_share_in_steps_of_five_percent():
    sent: list[WorkerMessage] = []
    on_progress = worker._sparing(sent.append)
    for name in ("warming up", "sampling"):
        for thousandth in range(1001):
            on_progress(name, thousandth / 1000)
    assert [message.name for message in sent if isinstance(message, Phase)] == ["warming up"] * 21 + ["sampling"] * 21
