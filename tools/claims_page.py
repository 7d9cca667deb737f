"""`results/claims.md`: every shipped claim and its verdict, and what others measured, apart."""

from collections.abc import Iterable, Iterator, Sequence

from backbone_bench.base.grouping import group_by
from backbone_bench.claims.data import papers as data
from backbone_bench.claims.evidence import counter
from backbone_bench.claims.evidence.publications import Publication
from backbone_bench.claims.judges import engine
from backbone_bench.claims.judges.engine import ClaimResult
from backbone_bench.claims.report import tables
from backbone_bench.claims.report.tables import PUBLISHED, reasons, shown_by_others, summary, table_of
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

INTRODUCTION = """# Published claims, checked

Every sentence below is a claim of a paper, or of the article 经典 backbone 总结 (2023), and what a count or a
measurement says about it. A multiply-add counts once unless a paper counts it twice; each verdict is one of

- **holds**: within the tolerance, whose reason stands with the claim
- **explained**: differs, and a known cause, named here, closes the difference
- **fails**: differs, and none does
- **unclear**: the evidence lies on both sides
- **unmeasured**: needs a device, or training, that is not here

`bench claims ID` shows the working of one. What others measured stands under a heading of its own and decides
nothing of ours.
"""


def page() -> str:
    """The whole of `results/claims.md`: every shipped claim, judged without records."""
    book = counter.gather_evidence()
    entries = list(data.entries(data.shipped()))
    return render(engine.judge_all(entries, book), book.publications)


def render(outcomes: Sequence[ClaimResult], publications: Sequence[Publication]) -> str:
    """The whole of `results/claims.md`."""
    papers = group_by(outcomes, lambda outcome: outcome.entry.paper.short)
    parts = [INTRODUCTION, summary(outcomes), ""]
    for name, some in papers.items():
        parts += [f"## {name}", "", _source_line(some[0]), "", markdown([without_empty(table_of(some, COLUMNS))])]
    parts += ["## Measured by others", "", "Published measurements, not ours.", ""]
    parts += [markdown([tabulate(shown_by_others(outcomes), PUBLISHED)])]
    parts += ["### Rank correlations", "", *_correlations(outcomes)]
    parts += ["### Where they come from", "", *_sources(publications)]
    return "\n".join(parts)


def _correlations(outcomes: Iterable[ClaimResult]) -> Iterator[str]:
    """Each setting in which costs on paper were correlated with a clock or a meter."""
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
