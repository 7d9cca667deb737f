"""Rounds of live processes as a comparison takes them: what a failure costs, and when fresh rounds take over."""

import math
import random

import pytest

from backbone_bench.jobs.job import Job
from backbone_bench.run import live
from backbone_bench.run.live import NoRoom, NotLive, SideFailed
from backbone_bench.run.messages import Failed
from backbone_bench.versus.rounds import Allowance, LiveRounds, RoundPlace
from tests.report.samples import record

JOBS = Job("a", {}), Job("b", {})
LOST = SideFailed(1, JOBS[1], Failed("was killed", 3))
NO_MEMORY = SideFailed(1, JOBS[1], Failed("ran out of memory", 3, out_of_memory=True))
MISTAKE = SideFailed(0, JOBS[0], Failed("no model 'a'", 2))


class Script:
    """What each live round does in turn: an error, or None for a round that goes well."""

    def __init__(self, monkeypatch, *script):
        self.script = list(script)
        self.plans: list[live.TurnPlan] = []
        self.seeds: list[int] = []
        self.said: list[str] = []
        self.fresh = 0
        monkeypatch.setattr(live, "take_round", self.take_round)
        self.rounds = LiveRounds(self.take_fresh, self.said.append, 30.0, coin=random.Random(1))

    def take_round(self, sides, seed, on_progress, plan):
        self.plans.append(plan)
        self.seeds.append(seed)
        what = self.script.pop(0)
        if what is not None:
            raise what
        return tuple(record(side.job.model, 1, 1.0) for side in sides)

    def take_fresh(self, jobs, place, on_progress):
        self.fresh += 1
        return tuple(record(job.model, 1, 1.0) for job in jobs)

    def take(self, number, allowed_s=10.0):
        return self.rounds(JOBS, RoundPlace("some", number, allowed_s), lambda phase, share: None)


def test_a_round_goes_by_a_new_seed_and_within_its_time_and_its_records_say_their_turn(monkeypatch):
    script = Script(monkeypatch, None, None)
    found = [script.take(1), script.take(2, 5.0)]
    assert len(set(script.seeds)) == 2
    assert [(plan.allowed_s, plan.timeout_s) for plan in script.plans] == [(10.0, 30.0), (5.0, 30.0)]
    turns = [one.turn for records in found for one in records]
    assert [(turn.round, turn.side) for turn in turns if turn] == [(1, "A"), (1, "B"), (2, "A"), (2, "B")]


def test_a_side_that_fails_costs_its_round_which_is_taken_again(monkeypatch):
    script = Script(monkeypatch, None, LOST, None)
    script.take(1)
    assert len(script.take(2)) == 2
    assert script.said == ["Round 2 is lost and taken again: b (fp32, auto): was killed."]


def test_a_side_that_fails_again_ends_the_comparison(monkeypatch):
    script = Script(monkeypatch, LOST, LOST)
    with pytest.raises(SideFailed, match="was killed"):
        script.take(1)


def test_a_mistake_is_not_tried_twice(monkeypatch):
    script = Script(monkeypatch, MISTAKE)
    with pytest.raises(SideFailed, match="no model"):
        script.take(1)
    assert script.said == []


@pytest.mark.parametrize("script", [(NotLive("it is old"),), (NO_MEMORY, NO_MEMORY)])
def test_what_cannot_be_alive_together_runs_one_after_the_other_from_then_on(monkeypatch, script):
    script = Script(monkeypatch, *script)
    assert len(script.take(1)) == len(script.take(2)) == 2
    assert script.fresh == 2
    assert sum("one after the other" in line for line in script.said) == 1


def test_of_more_than_two_without_room_fewer_may_fit(monkeypatch):
    script = Script(monkeypatch, NoRoom("they need 9 GiB"))
    with pytest.raises(NoRoom):
        script.rounds([*JOBS, Job("c", {})], RoundPlace("some", 1), lambda phase, share: None)
    assert script.said == ["they need 9 GiB: fewer of them take turns at a time."]


def test_two_without_room_run_one_after_the_other_and_others_are_alive_together(monkeypatch):
    script = Script(monkeypatch, NoRoom("they need 9 GiB"), None)
    script.take(1)
    script.rounds([JOBS[0], Job("c", {})], RoundPlace("other", 1), lambda phase, share: None)
    script.take(2)
    assert (script.fresh, script.script) == (2, [])


def test_counts_need_no_live_process(monkeypatch):
    script = Script(monkeypatch)
    jobs = [Job("a", {}, latency=False)] * 2
    assert len(script.rounds(jobs, RoundPlace("some", 1), lambda phase, share: None)) == 2
    assert script.fresh == 1


class TestAllowance:
    def test_time_that_a_round_leaves_is_for_those_after_it(self):
        now = [0.0]
        allowance = Allowance(100.0, 10, lambda: now[0])
        assert allowance.next_s() == 10
        now[0] = 28.0  # the first round took longer than it might
        allowance.took_one()
        assert allowance.next_s() == 8

    def test_no_round_begins_that_would_end_after_the_time_is_up(self):
        now = [0.0]
        allowance = Allowance(100.0, 10, lambda: now[0])
        begun = 0
        while not allowance.is_over:
            allowance.next_s()
            begun += 1
            now[0] += 30.0
            allowance.took_one()
        assert begun == 3

    def test_two_rounds_are_taken_however_long_they_last(self):
        now = [0.0]
        allowance = Allowance(1.0, 10, lambda: now[0])
        for is_over in (False, False, True):
            assert allowance.is_over is is_over
            allowance.next_s()
            now[0] += 30.0
            allowance.took_one()

    def test_without_a_limit_there_is_none(self):
        allowance = Allowance(math.inf, 10)
        assert allowance.next_s() == math.inf
        assert not allowance.is_over
