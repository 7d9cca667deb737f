from dataclasses import replace

import pytest

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.jobs.job import Job
from backbone_bench.records import Latencies, LiveTurns, Missing, Record
from backbone_bench.run.live import NoRoom
from backbone_bench.run.messages import Failed
from backbone_bench.run.runner import JobResult
from backbone_bench.versus.compare import AskedPair, compare_paired, compare_rotating
from backbone_bench.versus.rounds import FreshRounds, RoundPlace
from backbone_bench.versus.rule import Comparison, ComparisonQuestion, DecisionRule, quantity, seen_in_turns, values
from tests.report.samples import NO_EVENTS, NO_GRAPH, gpu_record, latency, record

A, B = Job("a", {}), Job("b", {})


def silent(phase, share):
    """Ignore progress."""


class Machine:
    """Runs jobs without a process: `a` takes 1 s and `b` 2 s, and each row is slower than the one before."""

    def __init__(self, slower=0.0):
        self.order, self.slower = [], slower

    def __call__(self, job, on_progress):
        on_progress("measuring", 0.5)
        took_s = {"a": 1.0, "b": 2.0}[job.model] * (1 + self.slower * len(self.order))
        self.order.append(job.model)
        return JobResult(job, record(job.model, 4_000_000, took_s))


def fresh(*runs):
    return FreshRounds(runs if len(runs) > 1 else runs * 2)


def taken(take, count, on_progress=silent):
    return [take((A, B), RoundPlace("some", number + 1), on_progress) for number in range(count)]


@pytest.mark.parametrize(("count", "order"), [(1, "ab"), (2, "abba"), (5, "abbaabbaab")])
def test_the_side_that_goes_first_changes_from_round_to_round(count, order):
    machine = Machine()
    found = taken(fresh(machine), count)
    assert "".join(machine.order) == order
    assert [tuple(one.workload.model for one in records) for records in found] == [("a", "b")] * count


def test_each_side_is_run_in_its_own_way():
    one, other = Machine(), Machine()
    taken(fresh(one, other), 3)
    assert (one.order, other.order) == (["a"] * 3, ["b"] * 3)


def test_progress_names_the_round_and_the_side():
    phases = []
    taken(fresh(Machine()), 2, lambda phase, share: phases.append((phase, share)))
    assert phases == [
        ("round 1, A: measuring", 0.25),
        ("round 1, B: measuring", 0.75),
        ("round 2, B: measuring", 0.25),
        ("round 2, A: measuring", 0.75),
    ]


def test_what_has_no_room_takes_turns_in_smaller_groups_within_the_same_time():
    rounds, shares = [], []

    def take(jobs, place, on_progress):
        if len(jobs) > 3:
            raise NoRoom("they need 9 GiB")
        rounds.append(("".join(job.model for job in jobs), place))
        on_progress("taking turns", 1.0)
        return tuple(record(job.model, 4_000_000, ord(job.model)) for job in jobs)

    jobs = [Job(name, {}) for name in "abcdefg"]
    question = ComparisonQuestion(rule=DecisionRule(4), budget_s=700.0)
    asked = [AskedPair(a, a + 1, question) for a in range(6)]
    found = compare_rotating(jobs, asked, lambda phase, share: shares.append(share), take)
    compared = [(one.a.workload.model, one.b.workload.model) for one in found if isinstance(one, Comparison)]
    assert compared == [*zip("abcdef", "bcdefg", strict=True)]
    assert [models for models, _ in rounds] == ["abc"] * 4 + ["cde"] * 4 + ["efg"] * 4
    assert len({place.comparison for _, place in rounds}) == 3
    assert rounds[0][1].allowed_s == pytest.approx(700 / 3 / 4, rel=0.01)
    assert shares == sorted(shares)


def test_the_progress_of_a_comparison_never_goes_back_and_has_the_interval_so_far():
    phases: list[str] = []
    shares: list[float] = []

    def on_progress(phase, share):
        phases.append(phase)
        shares.append(share)

    compare_paired((A, B), ComparisonQuestion(rule=DecisionRule(4)), on_progress, fresh(Machine()))
    assert shares == [0.0625 + 0.125 * place for place in range(8)]
    assert phases[2] == "round 2, B: measuring"
    assert phases[-1] == "round 4 (so far A/B 0.500, 0.500 to 0.500), A: measuring"


def test_a_side_that_fails_ends_the_rounds_with_its_reason():
    def broken(job, on_progress):
        return JobResult(job, None, Failed("was killed", 3))

    with pytest.raises(CouldNotMeasure, match=r"b \(fp32, auto\): was killed"):
        taken(fresh(Machine(), broken), 3)


def test_a_steady_slowdown_cancels():
    found = compare_paired((A, B), ComparisonQuestion(rule=DecisionRule(6)), silent, fresh(Machine(slower=0.01)))
    assert found.ratio.estimate == pytest.approx(0.5, rel=1e-3)
    assert found.verdict == "less"


def test_every_record_is_kept_at_once_with_its_turn():
    kept: list[Record] = []
    compare_paired((A, B), ComparisonQuestion(rule=DecisionRule(4)), silent, fresh(Machine()), kept.append)
    compare_paired((A, B), ComparisonQuestion(rule=DecisionRule(4)), silent, fresh(Machine()), kept.append)
    turns = [record.turn for record in kept if record.turn]
    assert [(turn.round, turn.side) for turn in turns] == 2 * [
        (1, "A"), (1, "B"), (2, "A"), (2, "B"), (3, "A"), (3, "B"), (4, "A"), (4, "B"),
    ]  # fmt: skip
    assert len({turn.comparison for turn in turns}) == 2


def test_what_was_odd_is_counted_over_the_processes_of_both_sides():
    def crowded(job, on_progress):
        made = record(job.model, 4_000_000, 1.0)
        busy = replace(latency(1.0), flags=("host_busy",) if job.model == "a" else ())
        return JobResult(job, replace(made, latency=Latencies(busy, NO_EVENTS, NO_GRAPH), flags=("nan_output",)))

    found = compare_paired((A, B), ComparisonQuestion(rule=DecisionRule(4)), silent, fresh(crowded))
    assert found.flags == {"nan_output": 8, "host_busy": 4}


def turns(model, call_s, faults_per_burst):
    """A process that made ten bursts of one call, with another call before it that is no sample."""
    live = LiveTurns(
        processes=2, seed=1, allocator="kept", cores=(0,), discard=1, start_s=tuple(map(float, range(10))),
        discarded_s=(call_s,) * 10, cpu_s=(call_s,) * 10, minor_faults=(faults_per_burst,) * 10, preempted=(0,) * 10,
    )  # fmt: skip
    made = record(model, 4_000_000, call_s, latency=Latencies(latency(call_s, n=10), NO_EVENTS, NO_GRAPH))
    return replace(made, live=live)


@pytest.mark.parametrize(
    ("call_s", "faults", "found"),
    [
        (0.3, (0, 0), []),
        (0.3, (1000, 1050), []),  # a twentieth
        (0.3, (0, 39), []),
        (0.3, (0, 42), ["faults_differ"]),
        (0.6, (0, 0), ["slow_turns"]),
    ],
)
def test_slow_calls_and_page_faults_that_differ_are_told_of_a_live_round(call_s, faults, found):
    sides = [turns(name, call_s, one) for name, one in zip("ab", faults, strict=True)]
    assert [*seen_in_turns(*sides)] == found
    compared = compare_paired((A, B), ComparisonQuestion(rule=DecisionRule(4)), silent, lambda *_: tuple(sides))
    assert {name: compared.flags[name] for name in found} == dict.fromkeys(found, 8)


def test_fresh_rounds_have_no_turns_to_look_at():
    assert [*seen_in_turns(record("a", 1, 0.6), record("b", 1, 0.6))] == []


def test_a_quantity_that_one_side_lacks_is_missing_with_its_reason():
    pair = gpu_record("a", 1, 0.1), record("b", 1, 0.1)
    assert values([pair], quantity("graph")) == Missing("no_graph", "only CUDA captures graphs")
    with pytest.raises(CouldNotMeasure, match="energy cannot be compared: libnvidia-ml"):
        compare_paired((A, B), ComparisonQuestion("energy"), silent, fresh(Machine()))


def on_gpu(job, on_progress):
    """`a` needs half of the device's work of `b`, and its caller waits three times as long."""
    work_s, wall_s = {"a": (0.1, 0.9), "b": (0.2, 0.3)}[job.model]
    made = gpu_record(job.model, 1, work_s)
    assert isinstance(made.latency, Latencies)
    return JobResult(job, replace(made, latency=replace(made.latency, wall=latency(wall_s))))


def test_where_the_device_s_work_decides_what_callers_wait_is_kept_beside_it():
    found = compare_paired((A, B), ComparisonQuestion("work", DecisionRule(4)), silent, fresh(on_gpu))
    assert found.ratio.estimate == pytest.approx(0.5)
    assert found.wall is not None
    assert found.wall.estimate == pytest.approx(3)


def test_on_a_cpu_what_a_caller_waits_is_the_device_s_work_and_told_once():
    found = compare_paired((A, B), ComparisonQuestion("work", DecisionRule(4)), silent, fresh(Machine()))
    assert found.ratio.estimate == pytest.approx(0.5)
    assert found.wall is None


def test_without_device_work_one_is_told_what_can_be_compared():
    def eager(job, on_progress):
        made = on_gpu(job, on_progress).record
        return JobResult(job, replace(made, latency=Latencies(latency(0.1), latency(0.1), NO_GRAPH)))

    with pytest.raises(CouldNotMeasure, match=r"work cannot be compared: events around an eager call.*--by wall"):
        compare_paired((A, B), ComparisonQuestion("work"), silent, fresh(eager))


def test_two_ways_of_taking_a_quantity_are_not_compared():
    def unlike(job, on_progress):
        made = on_gpu(job, on_progress).record
        method = "filled_queue" if job.model == "a" else "eager_events"
        device = replace(made.latency.device, method=method)
        return JobResult(job, replace(made, latency=replace(made.latency, device=device)))

    with pytest.raises(CouldNotMeasure, match="taken in two ways"):
        compare_paired((A, B), ComparisonQuestion("device"), silent, fresh(unlike))


def test_a_comparison_of_eager_events_is_flagged():
    def eager(job, on_progress):
        made = on_gpu(job, on_progress).record
        device = replace(made.latency.device, method="eager_events")
        return JobResult(job, replace(made, latency=replace(made.latency, device=device)))

    found = compare_paired((A, B), ComparisonQuestion("device", DecisionRule(4)), silent, fresh(eager))
    assert found.flags["eager_events"] == 8


def test_what_is_compared_is_that_of_one_image():
    batched = record("a", 4_000_000, 0.8)
    batched = replace(batched, workload=replace(batched.workload, batch=8))
    assert quantity("wall").per_image(batched) == pytest.approx(0.1, rel=1e-2)
    assert quantity("graph").per_image(gpu_record("a", 1, 0.8, batch=8)) == pytest.approx(0.1, rel=1e-2)
