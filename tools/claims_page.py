"""Generator of `results/claims.md`: every shipped claim with its verdict, and published measurements apart."""

from collections.abc import Iterable, Iterator, Sequence
from math import log

from backbone_bench.base.grouping import group_by
from backbone_bench.claims.data import papers as data
from backbone_bench.claims.evidence import counter
from backbone_bench.claims.evidence.publications import Publication
from backbone_bench.claims.evidence.stored import of_packages
from backbone_bench.claims.judges import engine
from backbone_bench.claims.judges.engine import ClaimResult
from backbone_bench.claims.report import tables
from backbone_bench.claims.report.tables import PUBLISHED, reasons, shown_by_others, source, summary, table_of
from backbone_bench.report.tables import escape
from backbone_bench.report.tables.markdown import markdown
from backbone_bench.report.tables.table import Column, tabulate, without_empty

COLUMNS = (
    *(column for column in tables.COLUMNS if column.key not in ("why", "source")),
    Column[ClaimResult](
        "why", "why", lambda outcome: "; ".join(filter(None, [reasons(outcome), outcome.entry.claim.note]))
    ),
    Column[ClaimResult]("where", "where", lambda outcome: outcome.entry.claim.where),
)

TITLE = "# Published claims, checked\n"

WORTH_KNOWING = """## Worth knowing

The figures that are quoted most and are wrong, or mean something else than the reader thinks.
"""

INTRODUCTION = """## How to read the tables

Each row is a claim of a paper, of a library, or of the article 经典 backbone 总结 (2023), with its check by a count or
a measurement. A multiply-add counts once unless a paper counts it twice. The verdicts are

- **holds**: within the tolerance, whose reason is part of the claim
- **explained**: outside the tolerance, and a known cause, named in the row, explains the difference
- **fails**: outside the tolerance, and no known cause explains it
- **unclear**: the evidence does not decide: some is for the claim, some against
- **unmeasured**: needs a device or training that was not available

`bench claims ID` shows the working of one claim, `bench claims --model resnet50` every claim that names a network.
Measurements by others are under a heading of their own and do not decide our verdicts. Sentences that are ours, made
of the figures of others, are under [a heading of their own](#ours-from-their-figures) too.
"""


def page() -> str:
    """Judge every shipped claim without records and render the page."""
    evidence = counter.gather_evidence()
    entries = list(data.entries(data.shipped()))
    return render(engine.judge_all(entries, evidence), evidence.publications)


def render(outcomes: Sequence[ClaimResult], publications: Sequence[Publication]) -> str:
    """The text of `results/claims.md`."""
    papers = group_by(outcomes, lambda outcome: outcome.entry.paper.short)
    parts = [TITLE, summary(outcomes), "", WORTH_KNOWING, *_news(outcomes), INTRODUCTION, _counted_elsewhere(), ""]
    for name, some in papers.items():
        parts += [f"## {name}", "", _source_line(some[0]), "", markdown([without_empty(table_of(some, COLUMNS))])]
    parts += ["## Measured by others", "", "Published measurements, not ours.", ""]
    parts += [markdown([tabulate(shown_by_others(outcomes), PUBLISHED)])]
    parts += ["### Rank correlations", "", *_correlations(outcomes)]
    parts += ["### Where they come from", "", *_sources(publications)]
    return "\n".join(parts)


def _news(outcomes: Iterable[ClaimResult]) -> Iterator[str]:
    """The claims that a reader should know of, in their order: figures, two sentences, and the source."""
    known = [(news.place, news.text, outcome) for outcome in outcomes if (news := outcome.entry.claim.news)]
    for place, text, outcome in sorted(known, key=lambda item: item[0]):
        claim = outcome.entry.claim
        yield f"{place}. **{escape.markdown(claim.sentence)}** {escape.markdown(text)}  "
        where = escape.markdown(source(outcome))
        yield f"   {_figures(outcome)}: {outcome.verdict}. {where}; `bench claims {claim.id}`"
    yield ""


def _figures(outcome: ClaimResult) -> str:
    """`printed 3.800 G, counted 4.089 G`: of the check whose figures are farthest apart."""
    numeric = [part.finding for part in outcome.judged if part.finding.ratio and not part.check.aside]
    worst = max(numeric, key=lambda finding: abs(log(finding.ratio or 1.0)))
    return f"printed {escape.markdown(worst.expected)}, counted {escape.markdown(worst.found)}"


def _counted_elsewhere() -> str:
    """What counted the networks that this program does not build."""
    known = of_packages()
    return (
        f"The counts of {len(known.networks)} networks of timm and torchvision are stored, made with {known.origin}; "
        f"`make test-extras` compares them with fresh ones."
    )


def _correlations(outcomes: Iterable[ClaimResult]) -> Iterator[str]:
    """Rank correlations of counts with time or energy: one line per setting."""
    for shown in shown_by_others(outcomes):
        if shown.part.check.kind == "correlation" and not shown.part.check.aside:
            yield f"{escape.markdown(shown.finding.expected)} ({escape.markdown(shown.outcome.entry.claim.id)}):"
            yield ""
            yield from (f"- {escape.markdown(line)}" for line in shown.finding.working)
            yield ""


def _source_line(outcome: ClaimResult) -> str:
    paper = outcome.entry.paper
    where = f"arXiv:{paper.arxiv}" if paper.arxiv else paper.url or ""
    return ", ".join(filter(None, [escape.markdown(paper.title), str(paper.year or ""), where]))


def _sources(publications: Sequence[Publication]) -> Iterator[str]:
    for publication in publications:
        meta = publication.meta
        machine = f"{meta.machine.name}; " if meta.machine else ""
        yield (
            f"- **{escape.markdown(meta.title)}**: {escape.markdown(meta.source)}. {escape.markdown(meta.licence)}. "
            + (f"{escape.markdown(machine + meta.settings)}.")
        )
        yield from (f"  - {escape.markdown(trap)}" for trap in meta.traps)
    yield ""
