"""Claims from the command line: one number that somebody states for a network, as a `Claim`."""

from typing import Literal

from backbone_bench.claims.data import figures
from backbone_bench.claims.data.checks import CountCheck
from backbone_bench.claims.data.metrics import METRICS
from backbone_bench.claims.data.papers import Claim, ClaimEntry, ClaimsPaper
from backbone_bench.claims.data.subjects import Network, Tolerance
from backbone_bench.claims.data.verdicts import ClaimVerdict


def entry(
    network: Network, metric: str, figure: str, *, tolerance: str | None, per_multiply_add: Literal[1, 2]
) -> ClaimEntry:
    """Make a claim from a number (`4.1G`) and a tolerance (`2%`; None: half of the last digit). Raises UserError."""
    claimed = figures.parse(figure)
    if tolerance is None:
        allowed = Tolerance(digit=2 * claimed.half_digit, why="half of the last digit")
    else:
        allowed = Tolerance(relative=figures.parse_share(tolerance), why="as given")
    claim = Claim(
        id=metric.replace("_", "-"),
        sentence=f"{network} has {METRICS[metric].title} of {figure}.",
        where="as given",
        expects=ClaimVerdict.HOLDS,
        flops_per_multiply_add=per_multiply_add,
        check=(CountCheck(kind="count", metric=metric, of=network, expected=claimed.value, tolerance=allowed),),
    )
    return ClaimEntry(ClaimsPaper(key="given", title="", short="as given", claim=(claim,)), claim)
