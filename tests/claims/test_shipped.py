"""The shipped claims: the verdict of each, and that a changed number changes it."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from backbone_bench.claims.data import papers
from backbone_bench.claims.data.checks import (
    BoundCheck,
    CorrelationCheck,
    CountCheck,
    DeltaCheck,
    FamilyCheck,
    LawCheck,
    NeedsCheck,
    OrderCheck,
    PairCheck,
    RanksCheck,
    RatioCheck,
    TableCheck,
    ValueCheck,
)
from backbone_bench.claims.data.subjects import LayerStack
from backbone_bench.claims.data.verdicts import ClaimVerdict
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges import engine

ENTRIES = list(papers.entries(papers.shipped()))
PARTS = [(entry, number) for entry in ENTRIES for number in range(len(entry.claim.check))]


def part_name(value):
    return value.claim.id if isinstance(value, papers.ClaimEntry) else str(value + 1)


def numeric(*kinds):
    return pytest.mark.parametrize(
        ("entry", "number"),
        [(entry, n) for entry, n in PARTS if isinstance(entry.claim.check[n], kinds)],
        ids=part_name,
    )


def judged(entry, check, evidence):
    """The finding of this check, put in place of the claim's checks."""
    return engine.judge(entry._replace(claim=replace(entry.claim, check=(check,))), evidence).judged[0].finding


def test_every_claim_has_the_verdict_that_it_is_expected_to_have(outcomes):
    assert [sentence for outcome in outcomes.values() for sentence in outcome.unexpected] == []


def test_the_totals_by_verdict(outcomes):
    totals = Counter(outcome.verdict for outcome in outcomes.values())
    assert totals == {"holds": 163, "explained": 33, "fails": 27, "unmeasured": 55}


def test_ten_claims_are_worth_knowing_and_each_has_two_sentences():
    news = sorted((entry.claim.news for entry in ENTRIES if entry.claim.news), key=lambda news: news.place)
    assert [one.place for one in news] == list(range(1, 11))
    assert all(len(re.findall(r"[.:](?= [A-Z]|$)", one.text)) >= 1 for one in news)


def test_sentences_of_ours_stand_apart_and_name_their_paper():
    ours = [entry for entry in ENTRIES if entry.paper.key == "ours"]
    assert len(ours) == 11
    assert all("arXiv:" in entry.claim.where for entry in ours if "mmpretrain" not in entry.claim.where)


def test_no_two_papers_use_one_id():
    assert len({entry.claim.id for entry in ENTRIES}) == len(ENTRIES)


def test_the_articles_claims_stand_beside_their_own_words_and_no_others_do():
    for entry in ENTRIES:
        of_the_article = entry.paper.key == "article"
        assert entry.claim.id.startswith("article-") == of_the_article
        original = entry.claim.original
        assert (original is not None and original.language == "zh") == of_the_article
        assert original is None or re.search("[\u4e00-\u9fff]", original.text)


# The numbers are those of an independent derivation from hand-written layer lists.
FOUND = [
    ("article-resnet34-is-18pct-of-vgg19", 0, 0.1866),
    ("densenet40-access", 0, 3_684_442),
    ("osa-5x43-access-absolute", 0, 2.482e6),
    ("article-osa-access-reduction-30pct", 0, -0.326),
    ("inception3-flops-abstract", 0, 5.713e9),
    ("inception3-vs-googlenet", 0, 3.813),
    ("article-csp-reduction", 0, -0.079),
    ("article-csp-reduction", 1, -0.216),
    ("article-csp-reduction", 2, -0.296),
    ("article-csp-reduction", 3, -0.110),
    ("densenet201-vs-resnet101", 2, 0.5501),
    ("resnext-parity", 0, 1.0346),
    ("resnext-parity", 1, 0.9793),
    ("resnext-parity", 2, 1.1264),
    ("resnext-parity", 3, 1.3018),
    ("vgg-three3x3-vs-7x7", 0, 0.8148),
    ("g1-equal-width-access", 1, 1.053),
    ("g1-equal-width-access", 2, 1.413),
    ("g1-equal-width-access", 3, 1.811),
    ("g2-group-conv", 0, 1.398),
    ("vovnet-table4-delta-57-39", 0, 14.04e6),
    ("vovnet-table4-delta-57-39", 1, 3.792e9),
    ("vovnet-table3-bottleneck-static", 0, -0.821e9),
    ("vovnet-table3-bottleneck-static", 1, -0.778e6),
]


@pytest.mark.parametrize(("claim", "number", "value"), FOUND)
def test_what_is_found_is_what_an_independent_derivation_gives(outcomes, claim, number, value):
    assert outcomes[claim].judged[number].finding.found_value == pytest.approx(value, rel=5e-4, abs=5e-4)


EXPLAINED = [
    ("vgg16-flops", 0, "linear layers are left out", "15.35 G"),
    ("resnet50-flops", 0, "first 1x1", "3.858 G"),
    ("resnet101-flops", 0, "first 1x1", "7.570 G"),
    ("darknet53-bnops", 0, "whole last map", "18.70 G"),
    ("yolov3-resnet-bnops", 0, "Darknet's own network", "19.70 G"),
    ("yolov3-resnet-bnops", 1, "Darknet's own network", "29.39 G"),
    ("csp-cio", 0, "pools", "32.64 M"),
    ("csp-cio", 1, "pools", "34.41 M"),
    ("csp-csresnext50-bflops-params", 1, "batch norms' parameters are left out", "20.50 M"),
    ("csp-table3-mixed-resolution", 1, "another input size", "23.03 G"),
]


@pytest.mark.parametrize(("claim", "number", "cause", "closed"), EXPLAINED)
def test_a_difference_is_explained_by_its_cause(outcomes, claim, number, cause, closed):
    finding = outcomes[claim].judged[number].finding
    assert finding.verdict is ClaimVerdict.EXPLAINED
    assert cause in finding.reason
    assert finding.reason.endswith(closed)


def test_the_article_on_densenet_is_judged_pair_by_pair(outcomes):
    parts = outcomes["article-densenet-fewer-params-flops-than-resnet"].judged
    verdicts = {
        (part.check.metric, *map(str, part.check.rising)): part.finding.verdict
        for part in parts
        if isinstance(part.check, OrderCheck)
    }
    assert verdicts["flops", "densenet201@224", "resnet50@224"] is ClaimVerdict.FAILS
    assert verdicts["flops", "densenet161@224", "resnet101@224"] is ClaimVerdict.HOLDS
    assert verdicts["flops", "densenet161@224", "resnet101_v1@224"] is ClaimVerdict.FAILS
    assert verdicts["params", "densenet201@224", "resnet50@224"] is ClaimVerdict.HOLDS


def test_parity_alone_fixes_the_access_of_osa(outcomes):
    tight, loose = (
        part.finding for part in outcomes["osa-5x43-access-absolute"].judged if isinstance(part.check, FamilyCheck)
    )
    assert tight.found.startswith("2.441 M to 2.624 M")
    assert loose.found.startswith("2.427 M to 2.638 M")


def test_access_is_least_at_equal_widths_and_only_there(outcomes):
    swept = outcomes["article-access-least-at-equal-widths"].judged[0].finding
    assert swept.verdict is ClaimVerdict.HOLDS
    assert "share = 1: left / right 1" in swept.working
    assert sum("left / right 1" in line and "to" not in line for line in swept.working) == 1


# A verdict that cannot turn says nothing.


@numeric(CountCheck, RatioCheck, DeltaCheck, ValueCheck, FamilyCheck)
def test_a_published_figure_off_by_twice_its_tolerance_turns_the_verdict(outcomes, evidence, entry, number):
    check, found = entry.claim.check[number], outcomes[entry.claim.id].judged[number].finding
    shift = 2 * check.tolerance.slack(check.expected)
    if found.verdict is ClaimVerdict.FAILS:
        moved = replace(check, expected=found.found_value)  # it fails by more than that: what was found must hold
    elif isinstance(check, FamilyCheck):
        moved = replace(check, expected=check.expected + 2 * shift)  # beyond the farthest of the family
    else:
        moved = replace(check, expected=check.expected + (-shift if found.found_value > check.expected else shift))
    turned = judged(entry, moved, evidence)  # another cause may explain the moved figure
    assert (turned.verdict, turned.reason) != (found.verdict, found.reason)


@numeric(LawCheck, TableCheck)
def test_a_formula_off_by_twice_its_tolerance_turns_the_verdict(outcomes, evidence, entry, number):
    check, found = entry.claim.check[number], outcomes[entry.claim.id].judged[number].finding
    if found.verdict is ClaimVerdict.FAILS:  # an inequality: the other way round it holds at the points where it failed
        assert isinstance(check, LawCheck)
        easier = type(check.right)(f"({check.right}) * {0.5 if check.relation == '>=' else 2}")
        assert judged(entry, replace(check, right=easier), evidence).verdict is ClaimVerdict.HOLDS
        return
    worst = 1 + 2 * check.tolerance.relative
    factors = [worst, 1 / worst]
    if isinstance(check, LawCheck) and check.relation != "==" and check.touches is None:
        factors = [1.1 if check.relation == ">=" else 1 / 1.1]  # an inequality with room: 0.9 to 2.8 %
    scaled = [type(check.right)(f"({check.right}) * {factor}") for factor in factors]
    verdicts = [judged(entry, replace(check, right=right), evidence).verdict for right in scaled]
    assert ClaimVerdict.FAILS in verdicts


@numeric(OrderCheck)
def test_an_order_and_its_reverse_never_both_hold(outcomes, evidence, entry, number):
    check, found = entry.claim.check[number], outcomes[entry.claim.id].judged[number].finding
    turned = judged(entry, replace(check, rising=check.rising[::-1]), evidence).verdict
    assert {turned, found.verdict} != {ClaimVerdict.HOLDS}


@numeric(BoundCheck)
def test_a_limit_moved_past_what_was_found_turns_the_verdict(outcomes, evidence, entry, number):
    check, found = entry.claim.check[number], outcomes[entry.claim.id].judged[number].finding
    past = found.found_value * (2 if found.verdict is ClaimVerdict.FAILS else 0.5)
    moved = replace(check, below=past) if check.below is not None else replace(check, above=1 / past * past**2 * 4)
    assert judged(entry, moved, evidence).verdict is not found.verdict


def closed_form(check) -> bool:
    """Whether a check needs no evidence: arithmetic on layers that the claim itself gives."""
    subjects = [getattr(check, name, None) for name in ("of", "to", "minus")] + list(getattr(check, "rising", ()))
    return isinstance(check, LawCheck | ValueCheck) or any(isinstance(subject, LayerStack) for subject in subjects)


@pytest.mark.parametrize("entry", ENTRIES, ids=part_name)
def test_without_evidence_a_claim_is_unmeasured(entry):
    for part in engine.judge(entry, Evidence()).judged:
        if not closed_form(part.check):
            assert part.finding.verdict is ClaimVerdict.UNMEASURED
            assert part.finding.reason
        assert part.published is None


def test_that_a_device_is_not_here_is_no_news_and_that_a_count_is_missing_is():
    for entry in ENTRIES:
        outcome = engine.judge(entry, Evidence())
        judging = [check for check in entry.claim.check if not check.aside]
        if outcome.verdict is ClaimVerdict.UNMEASURED and entry.claim.expects is not ClaimVerdict.UNMEASURED:
            waits = any(isinstance(check, PairCheck | CorrelationCheck | RanksCheck | NeedsCheck) for check in judging)
            assert any(text.startswith(f"{entry.claim.id}: ") for text in outcome.unexpected) == (not waits)


def test_every_tolerance_has_its_reason():
    for entry in ENTRIES:
        for check in entry.claim.check:
            if hasattr(check, "tolerance"):
                assert len(check.tolerance.why) > 3
