"""docs/claims.md: its example is a valid claims file, and it describes every kind of check."""

import re
from pathlib import Path
from typing import get_args

from backbone_bench.claims.data import papers
from backbone_bench.claims.data.checks import Check
from backbone_bench.claims.data.verdicts import ClaimVerdict
from backbone_bench.claims.judges import engine

PAGE = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")


def test_the_example_is_a_file_whose_claims_hold(evidence):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    entries = list(papers.entries((papers.parse(example, "mine.toml"),)))
    assert [engine.judge(entry, evidence).verdict for entry in entries] == [ClaimVerdict.HOLDS, ClaimVerdict.HOLDS]


def test_every_kind_of_check_has_its_row():
    kinds = {get_args(kind.__annotations__["kind"])[0] for kind in get_args(get_args(Check)[0])}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == kinds
