"""Claims about time and energy, judged by records: the whole interval on one side, on the claimed kind of device."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.claims.data.checks import CorrelationCheck, NeedsCheck, PairCheck, RanksCheck
from backbone_bench.claims.data.papers import Claim, ClaimEntry, ClaimsPaper, entries, shipped
from backbone_bench.claims.data.subjects import Network, network
from backbone_bench.claims.data.verdicts import ClaimVerdict
from backbone_bench.claims.evidence.counter import gather_evidence
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges import clock, engine
from backbone_bench.records import Latencies, Latency, Missing, ModelCost, Tool
from backbone_bench.stats.samples import Interval
from tests.report.samples import cost, gpu_record, latency, record

ONE, TWO = network("one@224"), network("two@224")


def pair(relation=">", device="gpu", quantity="time", bound=1.0):
    return PairCheck(kind="pair", quantity=quantity, of=ONE, to=TWO, relation=relation, bound=bound, device=device)


def entry_of(check, name="some"):
    claim = Claim(id=name, sentence="Some.", where="here", expects=ClaimVerdict.HOLDS, check=(check,))
    return ClaimEntry(ClaimsPaper(key="some", title="Some", short="Some", claim=(claim,)), claim)


def finding(check, *records, count=None):
    return engine.judge(entry_of(check), Evidence(count=count, records=records)).judged[0].finding


def on_gpu(model, seconds, batch=1):
    return gpu_record(model, 1_000_000_000, seconds, batch)


def test_a_ratio_wholly_above_the_bound_holds_and_its_reverse_fails():
    records = on_gpu("one", 0.002), on_gpu("two", 0.001)
    assert finding(pair(">"), *records).verdict is ClaimVerdict.HOLDS
    assert finding(pair("<"), *records).verdict is ClaimVerdict.FAILS


def test_an_interval_that_straddles_the_bound_is_unclear():
    assert finding(pair(), on_gpu("one", 0.001), on_gpu("two", 0.001)).verdict is ClaimVerdict.UNCLEAR


@given(st.floats(1e-4, 1e-1), st.floats(1e-4, 1e-1))
def test_swapping_the_two_turns_the_verdict_round(one, two):
    """The networks change places: `holds` becomes `fails` or the reverse, `unclear` stays."""
    there = finding(pair(), on_gpu("one", one), on_gpu("two", two)).verdict
    back = finding(pair(), on_gpu("one", two), on_gpu("two", one)).verdict
    assert {there, back} in ({ClaimVerdict.HOLDS, ClaimVerdict.FAILS}, {ClaimVerdict.UNCLEAR})


def test_a_batch_is_divided_by_its_images():
    found = finding(pair("<"), on_gpu("one", 0.008, batch=8), on_gpu("two", 0.008, batch=8))
    assert found.verdict is ClaimVerdict.UNCLEAR
    assert found.ratio == pytest.approx(1.0)


def test_records_of_unlike_settings_are_not_compared():
    assert finding(pair(), on_gpu("one", 0.002), on_gpu("two", 0.001, batch=8)).verdict is ClaimVerdict.UNMEASURED


def test_settings_that_disagree_leave_the_claim_unclear():
    records = on_gpu("one", 0.002), on_gpu("two", 0.001), on_gpu("one", 0.001, 8), on_gpu("two", 0.002, 8)
    assert finding(pair(), *records).verdict is ClaimVerdict.UNCLEAR


def test_of_several_records_of_one_network_the_latest_counts():
    old = replace(on_gpu("one", 0.0001), started_utc="2020-01-01T00:00:00Z", tool=Tool("0.0.9", None, ("bench", "run")))
    assert finding(pair(), on_gpu("one", 0.002), old, on_gpu("two", 0.001)).verdict is ClaimVerdict.HOLDS


@pytest.mark.parametrize(
    ("ratio", "processes", "verdict", "needed"),
    [
        (1.04, 1, ClaimVerdict.UNCLEAR, 2),
        (1.04, 2, ClaimVerdict.HOLDS, None),
        (1.02, 2, ClaimVerdict.UNCLEAR, 7),
        (1.06, 1, ClaimVerdict.HOLDS, None),
        (0.951, 1, ClaimVerdict.UNCLEAR, 2),
        (0.949, 1, ClaimVerdict.FAILS, None),
    ],
)
def test_one_process_each_decides_only_beyond_five_percent_and_more_decide_less(ratio, processes, verdict, needed):
    records = [made for _ in range(processes) for made in (on_gpu("one", 0.001 * ratio), on_gpu("two", 0.001))]
    found = finding(pair(), *records)
    assert found.verdict is verdict
    assert found.ratio == pytest.approx(ratio)
    assert ("one process each" if processes == 1 else f"{processes} processes each") in found.working[0]
    assert (f"about {needed} processes of each would decide" in found.working[0]) == (needed is not None)


def test_the_device_s_work_decides_and_never_the_events_of_an_eager_call():
    """The graph says that `one` is slower; a slow host makes the eager events of `two` longer."""

    def eager(made, device_s):
        return replace(made, latency=replace(made.latency, device=latency(device_s, n=700)))

    records = eager(on_gpu("one", 0.002), 0.003), eager(on_gpu("two", 0.001), 0.009)
    assert finding(pair(), *records).ratio == pytest.approx(2)
    none = Missing("capture_failed", "none")
    without = [replace(made, latency=replace(made.latency, graph=none)) for made in records]
    assert finding(pair(), *without).verdict is ClaimVerdict.UNMEASURED


FRAGMENTED = "backbone_bench.zoo.shufflenet_micro:fragmented"


@pytest.mark.parametrize("more", [{}, {"parallel": False}])
def test_an_argument_that_is_the_default_may_be_left_out_on_either_side(more):
    def on_stack(seconds, **given):
        made = on_gpu(FRAGMENTED, seconds)
        return replace(made, workload=replace(made.workload, arguments=given))

    check = PairCheck(
        kind="pair",
        quantity="time",
        of=Network(FRAGMENTED, 224, {"channels": 128, "pieces": 4, "parallel": True}),
        to=Network(FRAGMENTED, 224, {"channels": 128, "pieces": 1, "parallel": False}),
        relation=">",
    )
    records = on_stack(0.002, channels=128, pieces=4, parallel=True), on_stack(0.001, pieces=1, channels=128, **more)
    assert finding(check, *records).verdict is ClaimVerdict.HOLDS


def test_what_is_unmeasured_names_the_command_that_measures_it():
    unmeasured = engine.judge(entry_of(pair(), "g1"), Evidence(records=()))
    assert unmeasured.command == "bench claims g1 --measure --device cuda"
    measured = engine.judge(entry_of(pair(), "g1"), Evidence(records=(on_gpu("one", 0.002), on_gpu("two", 0.001))))
    assert measured.command == ""


def test_a_cpu_is_shown_and_is_no_witness_of_a_claim_about_gpus():
    records = record("one", 10**9, 0.2), record("two", 10**9, 0.1)
    found = finding(pair(), *records)
    assert found.verdict is ClaimVerdict.UNMEASURED
    assert found.reason.endswith(
        "2.00 was measured (not evidence: the claim is about GPUs, this was measured on a CPU)"
    )
    assert "2026-11-24" in found.working[0]
    assert "Example CPU 3000" in found.working[0]
    assert finding(pair(device="cpu"), *records).verdict is ClaimVerdict.HOLDS


def test_energy_is_judged_by_its_repeat_error():
    """The records' windows hold the same joules, so that the longer run takes more."""
    assert finding(pair(quantity="energy"), on_gpu("one", 0.004), on_gpu("two", 0.001)).verdict is ClaimVerdict.HOLDS
    assert (
        finding(pair(quantity="energy"), record("one", 1, 1.0), record("two", 1, 2.0)).verdict
        is ClaimVerdict.UNMEASURED
    )


def test_without_records_a_claim_says_what_to_measure():
    found = finding(pair())
    assert found.verdict is ClaimVerdict.UNMEASURED
    assert found.reason == "needs records of the latency of one@224 and two@224 on a GPU"


def test_few_samples_make_the_interval_their_whole_range():
    few = Latency(
        samples_s=(0.001, 0.003), first_calls_s=(), warmup=latency(1.0).warmup, status="timeout", host_load=0.0
    )
    none = Missing("none", "none")
    one = replace(on_gpu("one", 0.001), latency=Latencies(few, replace(few, method="filled_queue"), none))
    assert finding(pair(), one, on_gpu("two", 0.001)).verdict is ClaimVerdict.UNCLEAR


# Correlations and ranks, with networks whose time is their access.

SIZES = {f"net{i}": i + 1 for i in range(8)}


def count(model, arguments, size, batch) -> ModelCost:
    """Access grows with the network, FLOPs fall."""
    made = cost(10**9 // SIZES[model])
    rows = tuple(replace(row, access_elems=row.access_elems * SIZES[model]) for row in made.by_op)
    return replace(made, by_op=rows)


RECORDS = [on_gpu(model, 0.001 * size) for model, size in SIZES.items()]
CLOSER = CorrelationCheck(kind="correlation", quantity="time", closer="access", than="flops")


def test_time_that_is_access_goes_with_access_and_not_with_flops():
    assert finding(CLOSER, *RECORDS, count=count).verdict is ClaimVerdict.HOLDS
    turned = replace(CLOSER, closer="flops", than="access")
    assert finding(turned, *RECORDS, count=count).verdict is ClaimVerdict.FAILS


def test_a_few_networks_are_no_correlation():
    assert finding(CLOSER, *RECORDS[:4], count=count).verdict is ClaimVerdict.UNMEASURED


def test_a_metric_that_orders_a_pair_as_time_does_ranks_it_right():
    ranks = RanksCheck(
        kind="ranks", quantity="time", metric="access", pairs=((network("net1@224"), network("net5@224")),)
    )
    assert finding(ranks, *RECORDS, count=count).verdict is ClaimVerdict.HOLDS
    assert finding(replace(ranks, metric="flops"), *RECORDS, count=count).verdict is ClaimVerdict.FAILS


def test_what_needs_training_is_unmeasured_whatever_the_evidence():
    check = NeedsCheck(kind="needs", needs="training")
    assert finding(check, *RECORDS, count=count).verdict is ClaimVerdict.UNMEASURED


@pytest.mark.parametrize(
    ("agree", "against", "verdict"),
    [
        (4, 2, "holds"),
        (3, 2, "unclear"),
        (2, 2, "unclear"),
        (2, 3, "fails"),
        (2, 1, "unmeasured"),
        (3, 0, "unmeasured"),
    ],
)
def test_two_thirds_of_four_settings_or_more_must_agree_and_more_than_half_against_fails(agree, against, verdict):
    ratios = [0.8] * agree + [1.2] * against
    observations = [
        clock.Observation(f"card {number}", "gpu", ratio, Interval(ratio - 0.01, ratio + 0.01), "range", "")
        for number, ratio in enumerate(ratios)
    ]
    assert clock._published_finding(pair(relation="<"), observations).verdict == verdict


def test_energy_of_a_waiting_caller_is_no_evidence_for_a_claim_about_the_device():
    records = on_gpu("one", 0.004), on_gpu("two", 0.001)
    waiting = [replace(made, energy=replace(made.energy, mode="wall")) for made in records]
    assert finding(pair(quantity="energy"), *records).verdict is ClaimVerdict.HOLDS
    assert finding(pair(quantity="energy"), *waiting).verdict is ClaimVerdict.UNMEASURED


def test_a_published_table_is_found_by_the_names_that_claims_spell():
    """The table of the fragments spells out arguments that are the default, as the claims do."""
    (fragments,) = (entry for entry in entries(shipped()) if entry.claim.id == "g3-fragmentation")
    published = [part.published for part in engine.judge(fragments, gather_evidence()).judged if part.published]
    assert len(published) == len(fragments.claim.check)
    assert "1.37" in published[0].working[0]
