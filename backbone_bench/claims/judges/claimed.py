"""Judge of figures from the command line: like any claim, and with the places where others printed the same figure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.claims.data import papers
from backbone_bench.claims.data.checks import CountCheck
from backbone_bench.claims.data.figures import amount
from backbone_bench.claims.data.papers import ClaimEntry
from backbone_bench.claims.data.selection import plain_name
from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.data.verdicts import CheckFinding
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges.engine import ClaimResult, judge


class PrintedFigure(NamedTuple):
    """A figure that a claim quotes for a network."""

    entry: ClaimEntry
    check: CountCheck
    network: Network


def judge_claimed(
    entries: Sequence[ClaimEntry], evidence: Evidence, *, has_name: bool = True
) -> tuple[ClaimResult, ...]:
    """Judge figures that somebody states, and if the network has a name that others use, find who printed them.

    Raises CouldNotMeasure if a network needs a package that is not here.
    """
    quoted = list(papers.entries(papers.shipped())) if has_name else []
    return tuple(_judge(entry, evidence, quoted) for entry in entries)


def _judge(entry: ClaimEntry, evidence: Evidence, quoted: Sequence[ClaimEntry]) -> ClaimResult:
    outcome = judge(entry, evidence)
    (part,) = outcome.judged
    if part.finding.needs_package:
        raise CouldNotMeasure(f"{entry.claim.sentence} It cannot be counted here: {part.finding.reason}.")
    finding = replace(part.finding, printed=tuple(_places(entry, evidence, quoted)))
    return replace(outcome, judged=(replace(part, finding=finding),))


def _places(entry: ClaimEntry, evidence: Evidence, quoted: Sequence[ClaimEntry]) -> Iterator[str]:
    """Sentences on who printed this figure for this network, then on who printed another one at the same size."""
    (check,) = entry.claim.check
    assert isinstance(check, CountCheck)
    assert isinstance(check.of, Network)
    known = list(_known(check, check.of, evidence, quoted))
    same = [printed for printed in known if _is_printed(check, printed)]
    sizes = {printed.network.size for printed in same}
    others = [printed for printed in known if printed.network.size in sizes and not _is_printed(check, printed)]
    yield from (_sentence(printed, evidence) for printed in (*same, *others))


def _known(
    check: CountCheck, network: Network, evidence: Evidence, quoted: Sequence[ClaimEntry]
) -> Iterator[PrintedFigure]:
    """The figures that claims quote for this metric of this network."""
    for entry in quoted:
        for other in entry.claim.check:
            if not isinstance(other, CountCheck) or other.metric != check.metric or not isinstance(other.of, Network):
                continue
            if _is_same(other.of, network, evidence):
                yield PrintedFigure(entry, other, other.of)


def _is_same(one: Network, other: Network, evidence: Evidence) -> bool:
    """Whether two names are one network: by their names, or by their parameters where those are known at once.

    Networks that differ in strides alone are one by this, and a sentence on them names them.
    """
    if plain_name(one.model) == plain_name(other.model):
        return one.arguments == other.arguments
    params = evidence.known(one, "params")
    return params is not None and params == evidence.known(other, "params")


def _is_printed(check: CountCheck, printed: PrintedFigure) -> bool:
    """Whether a printed figure is the stated one, in the precision in which it is stated."""
    return abs(printed.check.expected - check.expected) <= check.tolerance.slack(check.expected)


def _sentence(printed: PrintedFigure, evidence: Evidence) -> str:
    """`8.8 G for … is printed in EfficientNetV2 (arXiv:2104.00298), Table 7 (claim …: fails).`"""
    entry, check = printed.entry, printed.check
    single = entry._replace(claim=replace(entry.claim, check=(check,)))
    finding: CheckFinding = judge(single, evidence).judged[0].finding
    why = f"; {finding.reason}" if finding.reason else ""
    return (
        f"{amount(check.expected)} for {printed.network} is printed in {entry.paper.source}, {entry.claim.where} "
        f"(claim {entry.claim.id}: {finding.verdict}{why})."
    )
