"""Published measurements: ranges as in an independent analysis, what counts as evidence, and that no row decides."""

from dataclasses import replace
from importlib import resources

import pytest

from backbone_bench.claims.data import papers
from backbone_bench.claims.data.checks import PairCheck, RanksCheck
from backbone_bench.claims.data.verdicts import ClaimVerdict
from backbone_bench.claims.evidence import publications
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.evidence.publications import Publication
from backbone_bench.claims.judges import engine
from backbone_bench.zoo import catalogue

SHIPPED = publications.shipped()
TIMM = next(publication for publication in SHIPPED if publication.meta.title == "timm")
CLOCKED = [
    entry
    for entry in papers.entries(papers.shipped())
    if any(isinstance(check, PairCheck) for check in entry.claim.check)
]


def pair(outcomes, claim, of, to):
    return next(
        part.published
        for part in outcomes[claim].judged
        if isinstance(part.check, PairCheck) and (str(part.check.of), str(part.check.to)) == (of, to)
    )


# claim, pair, range over all GPU settings, verdict: figures of an analysis of the same tables by other code.
RANGES = [
    ("article-densenet-slower-than-resnet", "densenet121@224", "resnet50@224", "1.13 to 1.33", "holds"),
    ("article-csp-faster", "cspdarknet53@256", "darknet53@256", "1.04 to 1.38", "fails"),
    ("article-csp-faster", "cspresnet50@256", "resnet50@256", "0.77 to 0.99", "unclear"),
    ("article-resnext-same-cost-as-resnet", "resnext50_32x4d@224", "resnet50@224", "1.19 to 1.32", "holds"),
    ("vovnet-faster-than-resnet", "timm:ese_vovnet39b@224", "resnet50@224", "0.94 to 1.29", "fails"),
    ("vovnet-faster-than-resnet", "vovnet57@224", "resnet101@224", "0.68 to 0.92", "holds"),
    ("article-1x1-hurts-gpu", "resnet50@224", "resnet34@224", "1.48 to 1.98", "holds"),
    ("densenet201-slower-than-161", "densenet201@224", "densenet161@224", "0.71 to 0.80", "fails"),
]


@pytest.mark.parametrize("row", RANGES, ids=lambda row: " ".join(row[1:3]))
def test_the_range_over_settings_and_its_verdict(outcomes, row):
    claim, of, to, span, verdict = row
    finding = pair(outcomes, claim, of, to)
    assert finding.found.startswith(f"{span} in ")
    assert finding.verdict == verdict


def ratios(of, to):
    """The ratio of times in each setting of a GPU, read off the tables directly."""
    for setting, rows in TIMM.settings().items():
        if setting.kind == "gpu" and of in rows and to in rows:
            yield float(rows[to]["images_per_s"]) / float(rows[of]["images_per_s"])


def test_vovnet_39_is_faster_than_densenet_161_in_every_setting():
    found = list(ratios(("vovnet39a", 224), ("densenet161", 224)))
    assert (round(min(found), 2), round(max(found), 2)) == (0.34, 0.47)


def test_vgg_19_takes_four_to_five_times_as_long_as_resnet_34(outcomes):
    finding = pair(outcomes, "article-resnet34-is-18pct-of-vgg19", "resnet34@224", "vgg19@224")
    assert finding.found == "0.22 to 0.25 in 13 settings"


def test_the_newest_software_of_a_setting_counts():
    rows = next(
        rows for setting, rows in TIMM.settings().items() if "RTX 4090" in setting.text and "eager" in setting.text
    )
    assert {row["torch"] for row in rows.values()} <= {"pt291", "pt240"}
    assert rows["resnet50", 224]["torch"] == "pt291"


def test_access_ranks_densenet_wrong_and_whole_traffic_does_not(outcomes):
    access, traffic = (
        part.published for part in outcomes["vovnet-access-not-flops-drives-cost"].judged if part.check.kind == "ranks"
    )
    assert access.verdict is ClaimVerdict.FAILS
    assert traffic.verdict is ClaimVerdict.HOLDS


def test_correlations_are_told_by_metric_and_device_and_a_cpu_is_no_witness(outcomes):
    lines = outcomes["vovnet-access-not-flops-drives-cost"].judged[0].published.working
    for device in ("RTX 3090", "RTX 4090", "RTX 5090", "PRO 6000", "i9-10940X", "i7-12700H"):
        shown = [line for line in lines if device in line]
        assert shown
        assert all(metric in line for line in shown for metric in ("memory access", "FLOPs", "traffic", "operations"))
        assert all(("measured on a CPU" in line) == device.startswith("i") for line in shown)


def test_power_is_nearly_the_same_in_all_of_the_papers_rows(outcomes):
    table = outcomes["article-access-not-flops-drives-power"].judged[1].finding
    assert table.verdict is ClaimVerdict.HOLDS
    assert any("118.8" in line for line in table.working)
    assert any("131.2" in line for line in table.working)


# What counts.


def test_a_papers_own_table_does_not_decide_its_claim(outcomes):
    published = outcomes["vovnet-energy"].judged[0].published
    assert published.verdict is ClaimVerdict.UNMEASURED
    assert any(line.endswith("(the claim's own table)") for line in published.working)
    assert outcomes["vovnet-energy"].published is None


def test_whole_detectors_do_not_decide_a_claim_about_backbones(outcomes):
    published = outcomes["article-densenet-hungrier-than-resnet"].judged[0].published
    assert published.verdict is ClaimVerdict.UNMEASURED
    assert "1.87 (whole detectors, not backbones)" in published.working[0]


def doctored(publication: Publication, index: int, factor: float) -> Publication:
    """The publication with one row's speed changed."""
    rows = list(publication.rows)
    rows[index] = {**rows[index], "images_per_s": str(float(rows[index]["images_per_s"]) * factor)}
    return Publication(publication.meta, rows)


def networks(check) -> set[str]:
    """The names by which timm knows what a check compares."""
    compared = [check.of, check.to] if isinstance(check, PairCheck) else [one for pair in check.pairs for one in pair]
    return {TIMM.name(str(network.model)) for network in compared} - {""}


SINGLE = [
    (entry._replace(claim=replace(entry.claim, check=(check,))), networks(check))
    for entry in papers.entries(papers.shipped())
    for check in entry.claim.check
    if isinstance(check, PairCheck | RanksCheck) and check.quantity == "time"
    if entry.claim.published or check.expects_published  # where one row decides, none is expected
]


def verdicts(entries, publication, evidence):
    changed = replace(evidence, publications=(publication,), _settings={})
    parts = [engine.judge(entry, changed).judged[0].published for entry in entries]
    return [part.verdict if part else None for part in parts]


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("model", sorted(set.union(*(names for _, names in SINGLE))))
def test_one_row_off_by_a_factor_of_two_turns_no_verdict(evidence, model, factor):
    concerned = [(entry, names) for entry, names in SINGLE if model in names]
    entries, compared = [entry for entry, _ in concerned], set.union(*(names for _, names in concerned))
    table = Publication(TIMM.meta, [row for row in TIMM.rows if row["model"] in compared])
    before = verdicts(entries, TIMM, evidence)
    for index, row in enumerate(table.rows):
        if row["model"] == model:
            assert verdicts(entries, doctored(table, index, factor), evidence) == before


def test_one_row_turns_no_verdict_about_correlations(evidence):
    entry = next(entry for entry in papers.entries(papers.shipped()) if entry.claim.check[0].kind == "correlation")
    newest = next(i for i, row in enumerate(TIMM.rows) if row["model"] == "densenet161" and row["torch"] == "pt291")
    single = [entry._replace(claim=replace(entry.claim, check=entry.claim.check[:1]))]
    before = verdicts(single, TIMM, evidence)
    assert verdicts(single, doctored(TIMM, newest, 0.5), evidence) == before


@pytest.mark.parametrize("entry", CLOCKED, ids=lambda entry: entry.claim.id)
def test_without_the_tables_nothing_is_published(entry, tmp_path):
    folder = resources.files("backbone_bench.claims") / "published"
    for file in folder.iterdir():
        if file.name.endswith(".toml"):
            (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    assert publications.load(tmp_path) == ()
    outcome = engine.judge(entry, Evidence(publications=publications.load(tmp_path)))
    assert outcome.published is None
    assert all(
        part.finding.verdict is ClaimVerdict.UNMEASURED for part in outcome.judged if isinstance(part.check, PairCheck)
    )


# What the tables are.


@pytest.mark.parametrize("publication", SHIPPED, ids=lambda publication: publication.meta.file)
def test_every_table_says_where_it_comes_from_and_can_be_read(publication):
    meta = publication.meta
    assert len(meta.source) > 10
    assert meta.licence
    assert meta.settings
    assert publication.rows
    for rows in publication.settings().values():
        for row in rows.values():
            assert publication.cost(row, "time") is None or publication.cost(row, "time") > 0
    theirs = {row[meta.model] for row in publication.rows}
    assert set(publication.models()) <= theirs


@pytest.mark.parametrize("ours", sorted(TIMM.models().values()))
def test_a_network_by_another_name_is_the_same_network(ours):
    """By parameters and by FLOPs as timm counts them: two for each element of a batch norm more."""
    entry, theirs = catalogue.find(ours), TIMM.name(ours)
    rows = [row for row in TIMM.rows if row["model"] == theirs and int(row["input_size"]) == entry.input[1]]
    rows = [row for row in rows if row["timm_gmacs"]]  # the oldest tables have none
    assert rows
    for row in rows:
        assert float(row["params_m"]) == pytest.approx(entry.params / 1e6, rel=4e-3, abs=0.01)
        assert 0.99 < float(row["timm_gmacs"]) / (entry.flops / 1e9) < 1.03 or entry.flops < 1e9
