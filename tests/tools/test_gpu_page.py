"""results/h200.md: it agrees with the records and with what was read off them by hand; the records stay as given."""

import hashlib
import json
from dataclasses import replace

import pytest
from scipy.stats import spearmanr

from backbone_bench.claims.data.verdicts import ClaimVerdict
from backbone_bench.records import Latencies, Missing, Record, store
from backbone_bench.records.grade import graded, noted
from backbone_bench.report.plots.points import number
from backbone_bench.report.plots.prediction import PREDICTORS
from backbone_bench.report.views.columns import COLUMNS
from tests.report.samples import gpu_record
from tests.tools.test_zoo_page import rows
from tools import gpu_page
from tools.gpu_page import H200, CardPage

FILES = sorted((gpu_page.ROOT / H200.folder).glob("*.json*"))
# The first sixteen hexadecimal digits of the SHA-256 of each file, as it was given.
AS_GIVEN = {
    "batch1.jsonl": "3bace02cdc0a6090",
    "batch32.jsonl": "e7362201a1ba85b7",
    "nvml.json": "93c22ecb8b9694f0",
    "other_timers.json": "67cffffef6817ec7",
    "stacks-and-320.jsonl": "35b70490c73a1fea",
    "vovnet39-full.jsonl": "9c4dfd2aa678af15",
}


def test_the_files_are_as_they_were_given():
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in FILES} == AS_GIVEN


def test_every_given_record_is_read_without_a_warning_and_written_with_the_same_samples():
    given = [json.loads(line) for path in FILES if path.suffix == ".jsonl" for line in path.read_text().splitlines()]
    assert len(given) == len(H200.records) == 54
    for raw, record in zip(given, H200.records, strict=True):
        written = json.loads(store.dump_line(record))
        assert written["latency"]["graph"]["samples_s"] == raw["latency"]["graph"]["samples_s"]
        assert written["cost"]["flops"] == raw["cost"]["flops"]


def latencies(record: Record) -> Latencies:
    assert isinstance(record.latency, Latencies)
    return record.latency


def test_what_the_first_version_took_for_the_device_s_work_is_not_taken_for_it_now():
    for record in H200.records:
        found = latencies(record)
        assert record.device_work == found.graph
        assert "eager_events" in noted(record)
        assert not {"not_steady", "clocks_unlocked"} & set(noted(record))
        if not isinstance(record.energy, Missing):
            assert record.energy_mode == "graph"


def test_most_rows_can_be_quoted_with_care_and_the_reasons_are_those_of_the_row():
    words = {word for record in H200.records for word in noted(record)}
    assert words == {"eager_events", "few_samples", "launch_bound", "quick", "warm_up_cut_short"}
    grades = [graded(record).grade for record in H200.records]
    assert grades.count("with care") > 40


# What was read off the records by hand when the card was there: graph replay, one process each.
BY_HAND = {
    ("densenet121", "resnet50"): (1.63, 1.04),
    ("densenet201", "resnet101"): (1.61, 1.01),
    ("densenet161", "resnet101"): (1.54, None),
    ("cspdarknet53", "darknet53"): (None, 0.90),
    ("cspresnet50", "resnet50"): (None, 0.84),
    ("vovnet39", "densenet121"): (0.88, 1.20),
    ("vovnet39", "resnet50"): (1.43, 1.25),
}


def test_the_ratios_of_the_page_are_those_that_were_read_off_by_hand():
    found = {(pair.of, pair.to): (pair.by_batch[1], pair.by_batch[32]) for pair in gpu_page.pair_ratios(H200)}
    for pair, by_hand in BY_HAND.items():
        for ratio, hand in zip(found[pair], by_hand, strict=True):
            assert (ratio is None) == (hand is None)
            assert hand is None or ratio == pytest.approx(hand, abs=0.005)


@pytest.fixture(scope="module")
def judged():
    return {outcome.entry.claim.id: outcome for outcome in gpu_page.judged(H200)}


# Claim, the place of the check in it, ratio by hand.
CHECKS = [
    ("article-csp-faster", 0, 1.10),
    ("article-csp-faster", 1, 1.00),
    ("article-csp-faster", 2, 1.01),
    ("article-larger-tensor-better-gpu", 0, 0.25),
    ("article-larger-tensor-better-gpu", 1, 0.25),
    ("article-larger-tensor-better-gpu", 2, 0.41),
    ("article-fragments-hurt-gpu", 0, 1.27),
    ("article-fragments-hurt-gpu", 1, 2.33),
    ("article-1x1-hurts-gpu", 0, 0.95),
    ("article-densenet-hungrier-than-resnet", 0, 2.14),
    ("article-densenet-hungrier-than-resnet", 1, 1.42),
    ("densenet201-slower-than-161", 0, 1.048),
]


@pytest.mark.parametrize(("claim", "place", "by_hand"), CHECKS)
def test_a_claim_is_judged_by_the_ratio_that_was_read_off_by_hand(judged, claim, place, by_hand):
    measured = [part.finding for part in judged[claim].judged if part.finding.here]
    assert measured[place].ratio == pytest.approx(by_hand, abs=0.006)


def test_a_ratio_of_one_process_each_within_five_percent_is_unclear(judged):
    assert judged["densenet201-slower-than-161"].verdict is ClaimVerdict.UNCLEAR
    (part,) = (part for part in judged["densenet201-slower-than-161"].judged if part.finding.here)
    assert "about 2 processes of each would decide" in part.finding.working[0]


def test_rank_correlations_are_those_of_an_independent_program():
    page = gpu_page.page(H200)
    for batch in (1, 32):
        some = H200.networks(batch, 224)
        work = [number(COLUMNS["device_work_s"], record) or 0.0 for record in some]
        for key in PREDICTORS:
            rho = spearmanr([number(COLUMNS[key], record) or 0.0 for record in some], work).statistic
            assert f"{COLUMNS[key].title} {rho:.2f}" in page


def test_every_network_has_a_row_and_the_page_shows_no_eager_device_latency():
    page = gpu_page.page(H200)
    assert {record.workload.model for record in H200.networks(1, 224)} <= rows(page).keys()
    assert "device latency (" not in page
    assert "peak allocated" not in page


def test_what_the_readme_says_of_the_card_is_so():
    """More than three times the work of ResNet-50, and half of a call waiting; VGG-19 needs about as long."""
    one = {record.workload.model: record for record in H200.networks(1, 224)}
    densenet, resnet = latencies(one["densenet201"]), latencies(one["resnet50"])
    assert not isinstance(densenet.graph, Missing)
    assert not isinstance(resnet.graph, Missing)
    assert 3 < densenet.graph.median_s / resnet.graph.median_s < 3.5
    assert densenet.launch_bound == pytest.approx(0.5, abs=0.02)
    vgg = latencies(one["vgg19"])
    assert not isinstance(vgg.graph, Missing)
    assert vgg.graph.median_s / resnet.graph.median_s == pytest.approx(1, abs=0.1)


def test_the_page_of_the_card_at_hand_compares_the_settings_that_people_run(tmp_path, monkeypatch):
    usual = gpu_record("resnet50", 4_089_184_256, 0.002)
    halved = gpu_record("resnet50", 4_089_184_256, 0.001)
    halved = replace(halved, workload=replace(halved.workload, precision="bf16", memory_format="channels_last"))
    (tmp_path / "records").mkdir()
    store.write(tmp_path / "records" / "settings.jsonl", store.dump_lines([usual, halved]))
    store.write(tmp_path / "records" / "settings.unpublished.jsonl", store.dump_lines([usual] * 3))
    monkeypatch.setattr(gpu_page, "ROOT", tmp_path)
    card = CardPage("records", "gpu.md", "# A card\n", "model,graph_s,grade")
    assert len(card.records) == 2
    (ratio,) = gpu_page.setting_ratios(card)
    assert ratio[:3] == ("resnet50", 1, "bf16, channels_last")
    assert ratio.ratio == pytest.approx(0.5)
    page = gpu_page.page(card)
    assert "| resnet50 | 1 | 0.50 |" in page
    assert "plots/gpu-waiting.svg" in page


def test_a_card_without_records_has_no_page():
    assert not CardPage("results/records/nowhere", "nowhere.md", "", "model").records
    assert "results/h200.md" in gpu_page.files()
