"""Networks are judged by stored counts; another of timm or torchvision needs the package, and that is no news."""

import json
import subprocess
import sys

import pytest

from backbone_bench.claims.data import papers, selection
from backbone_bench.claims.data.metrics import METRICS
from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.data.verdicts import ClaimVerdict
from backbone_bench.claims.evidence import counter, stored
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges import engine
from backbone_bench.zoo.twins import TWINS
from tests.claims.data.test_files import file

STORED = stored.of_packages()


@pytest.fixture
def no_packages(monkeypatch):
    """Neither timm nor torchvision is installed."""
    monkeypatch.setattr(counter, "find_spec", lambda name: None)


def test_every_network_of_a_shipped_claim_is_stored_or_built_here():
    named = {
        stored.key(network.model, network.arguments or {}, network.size or 0)
        for entry in papers.entries(papers.shipped())
        for check in entry.claim.check
        if check.kind not in ("pair", "ranks")
        for network in selection.networks(check)
        if stored.package(network.model)
    }
    assert named <= set(STORED.networks)


def test_no_shipped_claim_needs_a_package(outcomes):
    reasons = [part.finding.reason for outcome in outcomes.values() for part in outcome.judged]
    assert [reason for reason in reasons if "pip install" in reason] == []


def test_a_stored_row_has_every_metric_that_the_network_has():
    for network, values in STORED.networks.items():
        assert {"params", "flops", "cio", "access", "traffic", "ops"} <= set(values) <= set(METRICS), network
        assert values["flops"] == values["flops_without_products"] + values["product_flops"]
        assert values["conv_flops"] <= values["flops"]
        assert values["params_without_norm"] <= values["params_folded"] <= values["params"]


@pytest.mark.parametrize("name", [name for name in ("resnet50", "mobilenetv1", "densenet121") if name in TWINS])
def test_a_stored_count_is_that_of_the_twin_in_the_zoo(evidence, name):
    for twin in TWINS[name]:
        values = STORED.find(twin.reference, {}, 224)
        for metric, value in values.items():
            assert value == pytest.approx(evidence.value(Network(name, 224), metric)), (twin.reference, metric)


def test_without_a_size_a_network_is_found_at_its_own():
    (model, _, size), *_ = (key for key in STORED.networks if STORED.usual.get(key[0]) == key[2])
    assert STORED.find(model, {}, None) == STORED.find(model, {}, size) != {}
    assert STORED.find(model, {}, size + 1) == {}


@pytest.mark.usefixtures("no_packages")
def test_a_network_that_is_not_stored_is_unmeasured_and_no_news():
    allowed = 'tolerance = { digit = 1, why = "so" }'
    check = f'kind = "count"\nmetric = "flops"\nof = "timm:resnet10t@224"\nexpected = 1\n{allowed}'
    (entry,) = papers.entries((papers.parse(file(check), "mine.toml"),))
    outcome = engine.judge(entry, counter.gather_evidence())
    assert outcome.verdict is ClaimVerdict.UNMEASURED
    assert outcome.judged[0].finding.reason == "needs: pip install 'backbone-bench[timm]'"
    assert outcome.unexpected == ()
    assert engine.judge(entry, Evidence()).unexpected != ()  # there the count is missing, which is news


@pytest.mark.usefixtures("no_packages")
def test_a_cause_that_cannot_be_tried_is_named():
    flops = STORED.find("timm:convnext_small", {}, 224)["flops"] * 1.7  # about what 299 pixels cost
    allowed = 'tolerance = { relative = 0.02, why = "so" }'
    check = f'kind = "count"\nmetric = "flops"\nof = "timm:convnext_small@224"\nexpected = {flops}\n{allowed}'
    (entry,) = papers.entries((papers.parse(file(check), "mine.toml"),))
    finding = engine.judge(entry, counter.gather_evidence()).judged[0].finding
    assert finding.verdict is ClaimVerdict.FAILS
    assert "to try all causes it needs: pip install" in finding.reason


@pytest.mark.usefixtures("no_packages")
def test_a_figure_of_a_network_that_cannot_be_counted_ends_with_3(bench):
    done = bench("check", "timm:resnet10t", "--flops", "1G")
    assert (done.code, done.out) == (3, "")
    assert "pip install 'backbone-bench[timm]'" in done.err


def test_the_working_says_what_made_a_stored_count(bench):
    working = bench("claims", "hrnet-gflops").out
    assert f"stored counts, made with {STORED.origin}: timm:hrnet_w18@224" in working


def test_a_claim_on_stored_counts_never_loads_torch():
    code = (
        "import sys, contextlib, io\n"
        "sys.argv = ['bench', 'claims', 'hrnet']\n"
        "from backbone_bench.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main()\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# Who printed a figure.


def test_a_figure_is_answered_with_who_printed_it_and_what_others_print(bench):
    words = ("check", "timm:tf_efficientnetv2_s", "--input-size", "384")
    done = bench(*words, "--flops", "8.4G")
    assert done.code == 0
    assert "8.400 G for timm:tf_efficientnetv2_s@384 is printed in EfficientNetV2 (arXiv:2104.00298)" in done.out
    assert "claim efficientnetv2-readme-flops: holds" in done.out
    assert "8.800 G" in done.out
    assert "claim efficientnetv2-paper-flops: fails" in done.out
    printed = json.loads(bench(*words, "--flops", "8.8G", "-f", "json").out)["claims"][0]["checks"][0]["finding"][
        "printed"
    ]
    assert "efficientnetv2-paper-flops" in printed[0]


def test_a_network_is_recognised_by_its_parameters_under_another_name(bench):
    done = bench("check", "resnet50", "--flops", "5.28G")
    assert done.code == 1
    assert "is printed in timm's pages" in done.out
    assert "is printed" not in bench("check", "resnet50", "--flops", "9.99G").out
