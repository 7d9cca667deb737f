import json
from dataclasses import replace
from itertools import product

import pytest

from backbone_bench.records import FLAGS, Missing
from backbone_bench.report.tables.formats import write
from backbone_bench.stats.ratios import Pair
from backbone_bench.versus.report import answer, expectation, names, sizes, verdict
from backbone_bench.versus.rule import Comparison, ComparisonQuestion, DecisionRule
from tests.report.samples import cost, gpu_record, record

ONE, OTHER = record("one", 4_000_000_000, 1.0), record("other", 8_000_000_000, 1.0)
TIMES = {"less": 0.5, "more": 2.0, "no_difference": 1.0}
UNCLEAR = [Pair(0.5, 1.0), Pair(2.0, 1.0)] * 9  # t(17) at 99.5 % is 3.222: exp(±3.222 · 0.713 / √18)


def comparison(a, b, decided, by="wall"):
    pairs = UNCLEAR if decided == "unclear" else [Pair(TIMES[decided], 1.0)] * 6
    found = Comparison(a, b, ComparisonQuestion(by, DecisionRule(18)), tuple(pairs))
    assert found.verdict == decided
    return found


def with_counts(base, factor):
    """The same record with `factor` times the traffic and its other counts unchanged."""
    rows = tuple(replace(row, traffic_elems=round(factor * row.traffic_elems)) for row in base.cost.by_op)
    return replace(base, cost=replace(base.cost, by_op=rows))


AGREE = (ONE, replace(OTHER, cost=cost(8_000_000_000, params=50_000_000)))
DISAGREE = (with_counts(ONE, 2.0), AGREE[1])
SAME = (ONE, replace(ONE, workload=replace(ONE.workload, model="other")))


@pytest.mark.parametrize(
    ("decided", "sentence"),
    [
        (
            "less",
            "one is faster than other: "
            "it takes 0.500 times as long (99 % confidence interval 0.500 to 0.500, 6 rounds).",
        ),
        (
            "more",
            "one is slower than other: it takes 2.00 times as long (99 % confidence interval 2.00 to 2.00, 6 rounds).",
        ),
        (
            "no_difference",
            "No difference above 3 % between one and other: "
            "the first takes 1.00 times as long (99 % confidence interval 1.00 to 1.00, 6 rounds).",
        ),
        (
            "unclear",
            "Unclear which of one and other is faster: "
            "the first takes 1.00 times as long (99 % confidence interval 0.500 to 2.00, 18 rounds).",
        ),
    ],
)
def test_the_verdict_is_one_sentence_with_ratio_and_interval(decided, sentence):
    found = comparison(AGREE[0], AGREE[1], decided)
    assert verdict(found, names(found)) == sentence


FEWER = "From parameters (0.452×) and FLOPs (0.500×) one would expect that one is faster"


@pytest.mark.parametrize(
    ("sides", "decided", "sentence"),
    [
        (AGREE, "less", f"{FEWER}, and it is."),
        (AGREE, "more", f"{FEWER}, but it is slower."),
        (AGREE, "no_difference", f"{FEWER}, but there is no difference above 3 %."),
        (AGREE, "unclear", f"{FEWER}; the measurement leaves it unclear."),
        (DISAGREE, "less", f"{FEWER}, from traffic (2.00×) that it is slower; it is faster."),
        (DISAGREE, "more", f"{FEWER}, from traffic (2.00×) that it is slower; it is slower."),
        (
            DISAGREE,
            "no_difference",
            f"{FEWER}, from traffic (2.00×) that it is slower; there is no difference above 3 %.",
        ),
        (DISAGREE, "unclear", f"{FEWER}, from traffic (2.00×) that it is slower; the measurement leaves it unclear."),
    ],
)
def test_the_counts_are_held_against_the_clock_in_one_sentence(sides, decided, sentence):
    found = comparison(sides[0], sides[1], decided)
    assert expectation(found, names(found)) == sentence


@pytest.mark.parametrize(
    ("decided", "end"),
    [
        ("less", ", but the first is faster."),
        ("more", ", but the first is slower."),
        ("no_difference", ", and there is none above 3 %."),
        ("unclear", "; the measurement leaves it unclear."),
    ],
)
def test_equal_counts_lead_one_to_expect_no_difference(decided, end):
    found = comparison(SAME[0], SAME[1], decided)
    start = "The counts are the same, so one would expect no difference"
    assert expectation(found, names(found)) == start + end


def test_nothing_counted_is_nothing_to_expect():
    found = comparison(ONE, replace(OTHER, cost=Missing("failed", "it crashed")), "less")
    assert expectation(found, names(found)) == "Nothing was counted, so the counts predict nothing."


@pytest.mark.parametrize(("sides", "decided"), [*product((AGREE, DISAGREE, SAME), (*TIMES, "unclear"))])
def test_swapping_the_sides_swaps_every_word_and_keeps_every_truth(sides, decided):
    """The order of the sides changes nothing in what the sentences say of each side."""
    forth = comparison(sides[0], sides[1], decided)
    back = Comparison(forth.b, forth.a, forth.question, tuple(pair.inverted for pair in forth.pairs))
    mirror = {"less": "more", "more": "less", "no_difference": "no_difference", "unclear": "unclear"}
    assert back.verdict == mirror[decided]
    one, other = (expectation(found, names(found)) for found in (forth, back))
    assert (", and it is." in one) == (", and it is." in other)
    assert ("leaves it unclear" in one) == ("leaves it unclear" in other)


def on_gpu(decided, waits):
    """A comparison by the device's work, with what callers wait in the same rounds."""
    a, b = gpu_record("a", 1_000_000_000, 0.001), gpu_record("b", 2_000_000_000, 0.002)
    return replace(comparison(a, b, decided, "work"), wall_pairs=tuple([Pair(waits, 1.0)] * 6))


def test_a_caller_who_waits_for_another_verdict_than_the_device_s_is_told_in_the_same_sentence():
    found = on_gpu("less", waits=1.3)
    assert verdict(found, names(found)) == (
        "a is faster than b: it takes 0.500 times the device work (99 % confidence interval 0.500 to 0.500, 6 rounds), "
        "but its caller waits 1.30 times as long (1.30 to 1.30), as the GPU waits for Python in up to 50 % of a call."
    )
    rows = json.loads(write(answer(found), "json"))["per_image"]
    assert rows["wall_per_image_s"]["ratio"] == pytest.approx(1.3)
    assert rows["work_per_image_s"]["ratio"] == pytest.approx(0.5)


def test_a_caller_who_waits_for_the_same_verdict_is_not_told_twice():
    found = on_gpu("less", waits=0.6)
    assert verdict(found, names(found)).endswith("0.500 to 0.500, 6 rounds).")


def test_energy_has_words_of_its_own():
    a, b = gpu_record("a", 1_000_000_000, 0.001), gpu_record("b", 2_000_000_000, 0.002)
    found = comparison(a, b, "more", "energy")
    assert verdict(found, names(found)).startswith("a uses more energy than b: it uses 2.00 times the energy (")


def test_one_model_under_two_settings_is_told_apart_by_what_differs():
    half = replace(ONE, workload=replace(ONE.workload, precision="fp16"))
    assert names(comparison(ONE, half, "less")) == ("one (fp32)", "one (fp16)")
    assert names(comparison(ONE, ONE, "less")) == ("one (A)", "one (B)")


def test_what_both_sides_share_stands_above_the_table_and_what_differs_with_each_name():
    workload = replace(OTHER.workload, batch=8, inputs=("8x3x224x224:float32",))
    found = comparison(ONE, replace(OTHER, workload=workload), "less")
    assert names(found) == ("one (batch 1)", "other (batch 8)")
    caption = write(answer(found), "md").splitlines()[2]
    assert "fp32; eval; 2 threads" in caption
    assert "batch" not in caption


@pytest.mark.parametrize("form", ["md", "csv", "table"])
def test_every_count_and_the_clock_stand_in_the_table(form):
    text = write(answer(comparison(*AGREE, "less")), form)
    for word in ("flops", "params", "access", "traffic", "ops", "wall"):
        assert word in text.lower().replace("parameters", "params").replace("operations", "ops")


def test_the_document_says_in_base_units_what_the_sentences_say():
    found = comparison(*AGREE, "less")
    document = json.loads(write(answer(found), "json"))
    assert (document["verdict"], document["ratio"]) == ("faster", 0.5)
    assert document["interval"] == [0.5, 0.5]
    assert document["per_image"]["wall_per_image_s"] == {"a": 0.5, "b": 1.0, "ratio": 0.5}
    assert document["per_image"]["flops"] == {"a": 4_000_000_000, "b": 8_000_000_000, "ratio": 0.5}
    assert [round_["a"] for round_ in document["rounds"]] == [pair.numerator for pair in found.pairs]


@pytest.mark.parametrize("form", ["md", "table"])
def test_what_was_odd_is_told_with_the_number_of_processes_and_what_it_means(form):
    found = replace(comparison(AGREE[0], AGREE[1], "less"), flags={"host_busy": 5})
    meaning = FLAGS["host_busy"].meaning
    flagged = f"Flags of the 12 processes: host_busy in 5. host_busy: {meaning}.\n"
    end = f"measured 0.500 (0.500 to 0.500).\n\n{flagged}"
    assert write(answer(found), form).endswith(end)
    assert "processes" not in write(answer(replace(found, flags={})), form)


def test_the_size_that_counts_predict_stands_beside_the_one_measured():
    # 4 of 8 G FLOPs and 22.6 of 50 M parameters
    words = sizes(comparison(*AGREE, "less"))
    assert words.startswith("parameters predicted 0.452, FLOPs 0.500, ")
    assert words.endswith("; measured 0.500 (0.500 to 0.500).")


def test_medians_that_have_another_ratio_than_the_rounds_are_explained():
    # A takes 0.9 of B's time in ten of twelve rounds; the two at the median pace, where both take 2 s, are odd ones.
    fast, slow = (Pair(0.9, 1.0),) * 5, (Pair(2.7, 3.0),) * 5
    found = replace(comparison(*AGREE, "less"), pairs=(*fast, Pair(2.0, 2.0), Pair(2.0, 2.0), *slow))
    assert "The medians above have the ratio 1.00: " in write(answer(found), "md")
    assert "The medians above" not in write(answer(replace(found, pairs=(*fast, *slow))), "md")
