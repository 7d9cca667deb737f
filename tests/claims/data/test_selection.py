"""Claims are chosen by id or paper, by what they contain, and by the network that they name."""

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data import papers, selection
from backbone_bench.claims.data.checks import CountCheck, PairCheck, RanksCheck

ENTRIES = list(papers.entries(papers.shipped()))


def ids(entries) -> set[str]:
    return {entry.claim.id for entry in entries}


def test_a_network_is_found_whichever_library_builds_it():
    assert ids(selection.naming(ENTRIES, "resnet50")) == ids(selection.naming(ENTRIES, "timm:resnet50"))
    assert {"resnet50-flops", "timm-docs-flops"} <= ids(selection.naming(ENTRIES, "resnet50"))
    assert {"repvgg-params", "repvgg-mmpretrain-swap"} <= ids(
        selection.naming(ENTRIES, "repvgg_b0")
    )  # deployed, trained
    assert "resnet50-flops" not in ids(selection.naming(ENTRIES, "resnet34"))


def test_every_network_of_a_check_is_named():
    for entry in ENTRIES:
        for check in entry.claim.check:
            named = list(selection.networks(check))
            match check:
                case PairCheck():
                    assert named == [check.of, check.to]
                case RanksCheck():
                    assert named == [network for pair in check.pairs for network in pair]
                case CountCheck(of=of):
                    assert named in ([], [of])


def test_a_text_is_found_in_the_paper_and_in_the_sentence():
    found = ids(selection.about(ENTRIES, "EFFICIENTNET"))
    assert {"efficientnet-b4-flops", "efficientnetv2-paper-flops"} <= found
    assert {"regnet-5x-faster", "coatnet-table-mixes"} <= found  # of other papers
    assert found < ids(ENTRIES)


@pytest.mark.parametrize("choose", [selection.about, selection.naming])
def test_what_no_claim_has_is_an_error_of_one_line(choose):
    with pytest.raises(UserError, match="No claim"):
        choose(ENTRIES, "resnet5x0")


def test_filters_follow_each_other(bench):
    done = bench("claims", "--about", "hrnet", "--model", "hrnet_w18", "-f", "jsonl")
    assert done.code == 0
    assert len(done.out.splitlines()) == 3
    failing = bench("claims", "mobilenetv2", "--failing", "-f", "csv")
    assert [line.partition(",")[0] for line in failing.out.splitlines()] == ["id", "mobilenetv2-14-params"]
