"""The article's claims that need a clock, by pairs that ran in turn on a CPU: `results/measured-claims.md`.

`python -m tools.measured_claims` measures them anew on this machine, which should be quiet, as docs/claims.md says;
the page is made from the records alone.
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
from tools.measure import CIRCUMSTANCES, published

ROOT = Path(__file__).parent.parent
RECORDS = Path("results/records/claims-cpu.jsonl")
RAW = RECORDS.with_suffix(".unpublished.jsonl")
PAGE = "results/measured-claims.md"
PAPER = "article"
WORDS = ("--no-energy", "--quick", "--rounds", "9")  # nine: the fewest with an interval by ranks

INTRODUCTION = """# The article's claims, measured on a CPU

Pairs of networks and of small stacks of layers, run in turn (A B B A), each time in a fresh process that gives a first
answer (`--quick`). A ratio stands
with the interval of its rounds; where that lies wholly on one side of what is asked, the pair is decided **on this
machine**. The claims are about GPUs, of which a CPU is no witness: no verdict of [claims.md](claims.md) is from here.
"""


def files() -> dict[str, Callable[[], str]]:
    """The page; none before anything was measured."""
    found = sorted(ROOT.glob("results/records/claims-*.jsonl"))
    return {PAGE: partial(page, [path for path in found if not path.match("*.unpublished.jsonl")])} if found else {}


def page(paths: list[Path]) -> str:
    """Every pair that was measured, under the claim that speaks of it."""
    book = counter.gather_evidence(store.read(paths, sys.exit))
    entries = [entry for entry in papers.entries(papers.shipped()) if entry.paper.key == PAPER]
    parts = [INTRODUCTION]
    for outcome in engine.judge_all(entries, book):
        shown = [part for part in outcome.judged if part.finding.here]
        if shown:
            parts += [_section(outcome, shown)]
    return "\n".join(parts)


def _section(outcome: ClaimResult, shown: list[CheckResult]) -> str:
    table = tabulate(
        shown,
        [
            Column[CheckResult]("asked", "asked", lambda part: part.finding.expected),
            Column[CheckResult]("measured", "measured", lambda part: part.finding.here),
            Column[CheckResult]("note", "note", lambda part: part.check.note),
        ],
    )
    lines = "".join(f"- {escape.markdown(line)}\n" for part in shown for line in part.finding.working)
    title, said = outcome.entry.claim.id, escape.markdown(sentence(outcome))
    return f"## {title}\n\n{said}\n\n{markdown([table])}\n{lines}"


def main() -> None:
    RAW.parent.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("bench")
    command = [str(program), "claims", PAPER, "--measure", *CIRCUMSTANCES, *WORDS, "--keep", str(RAW), *sys.argv[1:]]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    store.write(RECORDS, store.dump_lines(map(published, store.read([RAW], sys.exit))))
    RAW.unlink()


if __name__ == "__main__":
    main()
