"""Generator of `results/measured-claims.md`: the article's claims about time, measured on a CPU by pairs run in turn.

`python -m tools.measured_claims` measures the pairs again on this machine, which should be idle (docs/claims.md). The
page is made from the records alone.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from backbone_bench.claims.data import papers
from backbone_bench.claims.evidence import counter
from backbone_bench.claims.judges import engine
from backbone_bench.claims.judges.engine import CheckResult, ClaimResult
from backbone_bench.claims.report.tables import sentence
from backbone_bench.records import store
from backbone_bench.report.tables import escape
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Column, tabulate
from tools.measure import CONDITIONS, published

ROOT = Path(__file__).parent.parent
RECORDS = Path("results/records/claims-cpu.jsonl")
RAW = RECORDS.with_suffix(".unpublished.jsonl")
PAGE = "results/measured-claims.md"
PAPER = "article"
WORDS = ("--no-energy", "--quick", "--rounds", "9")  # nine: the fewest for a confidence interval by signed ranks

INTRODUCTION = """# The article's claims, measured on a CPU

Pairs of networks and of small stacks of layers, run in turn (A B B A), each time in a fresh process with few samples
(`--quick`). A ratio has the 99 % confidence interval over its rounds; if the whole interval is on one side of the
claimed bound, the pair is decided **for this machine**. This is not evidence for or against the claims: they are about
GPUs, this was measured on a CPU. No verdict in [claims.md](claims.md) depends on it.
"""


def files() -> dict[str, Callable[[], str]]:
    """The page; none if there are no records."""
    found = sorted(ROOT.glob("results/records/claims-*.jsonl"))
    return {PAGE: partial(page, [path for path in found if not path.match("*.unpublished.jsonl")])} if found else {}


def page(paths: list[Path]) -> str:
    """The text of the page: every measured pair, under its claim."""
    evidence = counter.gather_evidence(store.read(paths, sys.exit))
    entries = [entry for entry in papers.entries(papers.shipped()) if entry.paper.key == PAPER]
    parts = [INTRODUCTION]
    for outcome in engine.judge_all(entries, evidence):
        shown = [part for part in outcome.judged if part.finding.here]
        if shown:
            parts += [_section(outcome, shown)]
    return "\n".join(parts)


def _section(outcome: ClaimResult, shown: list[CheckResult]) -> str:
    table = tabulate(
        shown,
        [
            Column[CheckResult]("claimed", "claimed", lambda part: part.finding.expected),
            Column[CheckResult]("measured", "measured", lambda part: part.finding.here),
            Column[CheckResult]("note", "note", lambda part: part.check.note),
        ],
    )
    lines = "".join(f"- {escape.markdown(line)}\n" for part in shown for line in part.finding.working)
    title, text = outcome.entry.claim.id, escape.markdown(sentence(outcome))
    return f"## {title}\n\n{text}\n\n{markdown([table])}\n{lines}"


def main() -> None:
    RAW.parent.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("bench")
    command = [str(program), "claims", PAPER, "--measure", *CONDITIONS, *WORDS, "--keep", str(RAW), *sys.argv[1:]]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    store.write(RECORDS, store.dump_lines(map(published, store.read([RAW], sys.exit))))
    RAW.unlink()


if __name__ == "__main__":
    main()
