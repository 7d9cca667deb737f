"""`bench claims --measure`: pairs run in turn, each record kept, verdicts from the rounds; every run is scripted."""

import json
import signal
from dataclasses import replace

import pytest

from backbone_bench.base.progress import silent
from backbone_bench.base.signals import Interrupted
from backbone_bench.claims.data.checks import PairCheck, RanksCheck
from backbone_bench.claims.data.subjects import network
from backbone_bench.claims.data.verdicts import ClaimVerdict
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges import plan
from backbone_bench.claims.judges.of_records import judged_by
from backbone_bench.cli import claims_measure
from backbone_bench.jobs.job import Job
from backbone_bench.records import ModelCost, Record, Turn, Workload, store
from backbone_bench.records.condensed import condensed
from backbone_bench.run.messages import Failed
from backbone_bench.run.runner import JobResult
from backbone_bench.versus import rotations, series
from backbone_bench.versus.rounds import FreshRounds
from backbone_bench.versus.rule import ComparisonQuestion, DecisionRule
from tests.claims.judges.test_clock import CLOSER, ONE, RECORDS, TWO, count, entry_of, finding, on_gpu, pair
from tests.report.samples import counted, gpu_record, record


def rounds(ratios, name="some", drift=1.0):
    """Rounds of `one` and `two` on a GPU with these ratios; `drift` slows both from round to round."""
    found = []
    for number, ratio in enumerate(ratios, start=1):
        one, two = (on_gpu(model, 0.001 * time * drift**number) for model, time in (("one", ratio), ("two", 1.0)))
        found += [replace(one, turn=Turn(name, number, "A")), replace(two, turn=Turn(name, number, "B"))]
    return found


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.2, 1.21, 1.19, 1.2], ClaimVerdict.HOLDS),
        ([0.8, 0.81, 0.79, 0.8], ClaimVerdict.FAILS),
        ([1.2, 0.9, 1.1, 0.95], ClaimVerdict.UNCLEAR),
        ([2.0], ClaimVerdict.UNCLEAR),
    ],
)
def test_rounds_hold_only_where_their_whole_interval_lies_on_one_side(ratios, verdict):
    assert finding(pair(">"), *rounds(ratios)).verdict is verdict


def test_rounds_are_heard_rather_than_points_that_drift_apart():
    """The latest records alone differ by the drift, 10 % from round to round; the rounds' ratios do not."""
    found = finding(pair(">"), *rounds([1.02, 1.021, 1.019, 1.02], drift=1.1))
    assert found.verdict is ClaimVerdict.HOLDS
    assert "4 rounds in turn" in found.working[0]


def test_comparisons_of_one_setting_are_one_and_may_ask_the_other_way_round():
    both = rounds([1.2, 1.21], "some") + rounds([1.19, 1.2], "other")
    found = finding(pair(">"), *both)
    assert "4 rounds in turn" in found.working[0]
    swapped = PairCheck(kind="pair", quantity="time", of=TWO, to=ONE, relation="<")
    assert finding(swapped, *both).ratio == pytest.approx(1 / found.ratio)


def test_half_a_round_is_no_round():
    found = finding(pair(">"), *rounds([1.2, 1.21, 1.19, 1.2])[:-1])
    assert "3 rounds in turn" in found.working[0]


def test_a_ratio_per_flop_is_held_against_one():
    """`count` has net7 at a quarter of net1's FLOPs: in half the time its FLOPs take twice as long."""
    check = PairCheck(
        kind="pair", quantity="time", per="flops", of=network("net7@224"), to=network("net1@224"), relation=">"
    )
    records = on_gpu("net7", 0.001), on_gpu("net1", 0.002)
    assert finding(check, *records, count=count).verdict is ClaimVerdict.HOLDS
    assert finding(replace(check, per=None), *records, count=count).verdict is ClaimVerdict.FAILS


def test_a_stack_of_layers_is_no_network_of_a_correlation():
    stack = replace(
        RECORDS[0],
        workload=Workload("some.module:stack", {}, source="import", inputs=("1x128x56x56:float32",), batch=1),
    )
    found = finding(CLOSER, *RECORDS, stack, count=count)
    assert found.verdict is ClaimVerdict.HOLDS
    text = f": {len(RECORDS)} networks, rank correlation (95 % CI) with memory access 1.00 (1.00 to 1.00)"
    assert text in found.working[0]


@pytest.mark.parametrize("model", ["evil.py:net", "package.module:net", "exported:net.pt2"])
def test_the_code_that_a_record_names_is_not_run_to_be_counted(model):
    """Whatever it says of its source."""
    foreign = replace(RECORDS[0], workload=replace(RECORDS[0].workload, model=model, source="zoo"))

    def careful(name, *rest):
        assert name != model
        return count(name, *rest)

    found = finding(CLOSER, *RECORDS, foreign, count=careful)
    assert f": {len(RECORDS)} networks, rank correlation" in found.working[0]


# The planned comparisons.


def test_a_pair_is_measured_once_whoever_asks_and_whichever_way_round():
    swapped = PairCheck(kind="pair", quantity="time", of=TWO, to=ONE, relation=">")
    energy = pair(quantity="energy")
    ranks = RanksCheck(kind="ranks", quantity="time", metric="access", pairs=((ONE, TWO),))
    entries = [entry_of(check, name) for check, name in ((pair(), "a"), (swapped, "b"), (ranks, "c"), (energy, "d"))]
    (time,) = plan.planned(entries, Evidence(), ("time",))
    assert (time.request.of, time.request.to, time.claims) == (ONE, TWO, ("a", "b", "c"))
    assert len(plan.planned(entries, Evidence(), ("time", "energy"))) == 2


class Machine:
    """Jobs without a process: the model's name is the time it takes; `broken` fails, `stop` is interrupted."""

    def __call__(self, job, on_progress):
        if job.model == "stop":
            raise Interrupted(signal.SIGINT)
        if job.model == "broken":
            return JobResult(job, None, Failed("no such model", 2))
        return JobResult(job, record(job.model, 4_000_000, float(job.model)))


def run_pairs(*pairs):
    kept: list[Record] = []
    jobs = [
        series.ComparisonJob(f"{a} {b}", (Job(a, {}), Job(b, {})), ComparisonQuestion(rule=DecisionRule(4)))
        for a, b in pairs
    ]
    fresh = FreshRounds([Machine()])
    ended = series.run_all(jobs, lambda by: fresh, lambda number, count, title: silent, kept.append)
    return ended, kept


def test_a_comparison_that_fails_costs_itself_only():
    ended, kept = run_pairs(("1", "broken"), ("1", "2"))
    assert (ended.over, ended.exit_code) == ((0, 1), 3)
    assert ended.failures == ("1 broken: broken (fp32, auto): no such model",)
    assert len(kept) == 8


def test_comparisons_share_the_processes_of_a_rotation():
    ended, kept = run_pairs(("1", "2"), ("2", "3"), ("1", "3"))
    assert ended.over == (0, 1, 2)
    assert [one.workload.model for one in kept] == ["1", "2", "3"] * 4


def test_a_rotation_has_no_more_processes_than_fit_and_a_job_against_itself_has_two(monkeypatch):
    monkeypatch.setattr(rotations, "MOST_LIVE", 3)
    one, two, three, four = (Job(name, {}) for name in "1234")
    question = ComparisonQuestion()
    energy = series.ComparisonJob("", (one, two), ComparisonQuestion("energy"))
    asked = [(one, two), (two, three), (three, four), (four, four)]
    found = series.rotations([*(series.ComparisonJob("", sides, question) for sides in asked), energy])
    assert [(rotation.jobs, rotation.members) for rotation in found] == [
        ([one, two, three], [0, 1]),
        ([three, four, four], [2, 3]),
        ([one, two], [4]),
    ]


def test_an_interrupt_loses_no_record(monkeypatch):
    monkeypatch.setattr(rotations, "MOST_LIVE", 2)
    ended, kept = run_pairs(("1", "2"), ("1", "stop"), ("2", "3"))
    assert (ended.over, ended.exit_code) == ((0,), 130)
    assert len(kept) == 8


def test_a_condensed_record_keeps_every_total():
    whole = record("one", 10**9, 1.0)
    assert isinstance(whole.cost, ModelCost)
    rows = tuple(replace(row, module=f"{n}.{row.module}") for n in range(3) for row in whole.cost.by_op)
    large = replace(whole, cost=replace(whole.cost, by_op=rows))
    small = condensed(large)
    assert isinstance(small.cost, ModelCost)
    assert len(small.cost.by_op) < len(whole.cost.by_op)
    for total in ("flops", "conv_flops", "access_elems", "conv_access_elems", "cio_elems", "traffic_bytes", "ops"):
        assert getattr(small.cost, total) == getattr(large.cost, total)


# The command.

CLAIM = "article-fragments-hurt-gpu"


@pytest.fixture
def scripted(monkeypatch):
    """The latency is proportional to the number of pieces."""

    def run(job, on_progress):
        pieces = job.arguments["pieces"]
        image = f"1x128x{job.input_size}x{job.input_size}:float32"
        workload = Workload(**job.setting, source="import", inputs=(image,), batch=1)
        return JobResult(job, record(job.model, 10**9, 0.01 * pieces, workload=workload))

    monkeypatch.setattr(claims_measure, "rounds_of", lambda by, timeout_s, say: FreshRounds([run]))


def test_what_is_measured_is_shown_and_kept_and_judges_the_same_when_read_back(bench, scripted, tmp_path):
    kept = tmp_path / "kept.jsonl"
    words = ("claims", CLAIM, "-f", "json")
    found = bench(*words, "--measure", "--device", "cpu", "--threads", "1", "--rounds", "4", "--keep", kept)
    assert found.code == 0
    (claim,) = json.loads(found.out)["claims"]
    assert claim["verdict"] == "unmeasured"  # the claim is about GPUs: a CPU gives no evidence
    here = [check["finding"]["here"] for check in claim["checks"]]
    assert here[0].startswith("2.00 (99 % CI 2 to 2) on Example CPU 3000, 2026-11-24: not evidence")
    assert here[1].startswith("4.00")
    assert len(store.read([kept], warn=print)) == 5 * 4  # five stacks of layers, four rounds
    assert json.loads(bench(*words, "--records", kept).out)["claims"] == [claim]


def test_a_dry_run_measures_nothing(bench, monkeypatch):
    monkeypatch.setattr(claims_measure, "rounds_of", None)
    found = bench("claims", CLAIM, "--measure", "--device", "cpu", "--dry-run", "-f", "json")
    (row,) = json.loads(found.out)
    assert found.code == 0
    assert row["row"].count("time of") == 3  # in one rotation
    assert 0 < row["least_s"] < row["most_s"]


@pytest.mark.parametrize(
    "words",
    [["--keep", "some.jsonl"], ["--device", "cpu"], ["--measure", "--keep", "some.csv"], ["--measure", "-b", "1,8"]],
    ids=" ".join,
)
def test_words_about_measuring_that_say_nothing_end_with_2(bench, words):
    found = bench("claims", CLAIM, *words)
    assert (found.code, found.out, len(found.err.splitlines())) == (2, "", 1)


# On the page of a report.


def test_a_claim_that_speaks_of_more_networks_than_the_records_hold_is_not_judged():
    """The article's claim on DenseNet's FLOPs is expected to fail by pairs that are not there."""
    some = [counted(model, 10**9) for model in ("densenet121", "resnet50")]
    assert "article-densenet-fewer-params-flops-than-resnet" not in {o.entry.claim.id for o in judged_by(some)}
    one_pair = gpu_record("densenet121", 1, 0.001), gpu_record("resnet50", 1, 0.002)
    slower = "article-densenet-slower-than-resnet"
    assert slower not in {outcome.entry.claim.id for outcome in judged_by(one_pair)}
