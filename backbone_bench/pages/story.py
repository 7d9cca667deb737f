"""What the records say, in one line and three sentences with numbers computed from them."""

from collections.abc import Callable, Mapping, Sequence

from backbone_bench.records import Record
from backbone_bench.records.grade import LAUNCH_BOUND
from backbone_bench.report.plots import accuracy
from backbone_bench.report.plots.alike import Alike, told_apart
from backbone_bench.report.plots.points import RecordPoint, number
from backbone_bench.report.plots.prediction import CountCorrelation, correlations, ranked
from backbone_bench.report.views.columns import COLUMNS
from backbone_bench.report.views.conditions import environment_groups

_CLOSE = 0.05  # rank correlations that differ by less are named together
_NEAR_BEST = 1.0  # percentage points below the most accurate network


def headline(records: Sequence[Record]) -> str:
    """What ran where: records, networks, devices, settings, versions and days."""
    models = len({record.workload.model for record in records})
    devices = " and ".join(dict.fromkeys(record.environment.device_name for record in records))
    precisions = ", ".join(dict.fromkeys(record.workload.precision for record in records))
    batches = _listed(sorted({record.workload.batch for record in records}))
    torch = ", ".join(dict.fromkeys(record.environment.torch for record in records))
    days = sorted({record.started_utc[:10] for record in records})
    setups = len(environment_groups(records))
    places = f" ({setups} environments)" if setups > 1 else ""
    return (
        f"{_counted(len(records), 'record')} of {_counted(models, 'model')} on {devices}{places}, {precisions}, "
        f"batch {batches}, "
        f"torch {torch}, {' to '.join(dict.fromkeys((days[0], days[-1])))}."
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _listed(batches: Sequence[int]) -> str:
    return ", ".join(map(str, batches[:-1])) + f" and {batches[-1]}" if len(batches) > 1 else str(batches[0])


def sentences(groups: Sequence[Alike]) -> tuple[str, ...]:
    """What predicts time, who is launch-bound, and who is fastest and thriftiest; the largest groups come first."""
    large = ranked(groups) or told_apart(groups[:1])
    return tuple(filter(None, (_of_each(large, _predicted), _of_each(large, _waiting), _winners(large))))


def _of_each(groups: Sequence[Alike], part: Callable[[Alike], str]) -> str:
    """One sentence of what there is to say of each group; empty if there is nothing."""
    return f"{_joined(parts)}." if (parts := list(filter(None, map(part, groups)))) else ""


# What predicts time.


def _predicted(group: Alike) -> str:
    """`at batch 1, the device work follows reduction depth (0.99), not FLOPs (0.55), …`."""
    found = correlations(group.records, group.time)
    if not found:
        return ""
    about = f"rank correlation over {found[0].networks} networks"
    text = f"{_where(group)}the {group.time.title} follows {_best(found)}, {about}"
    waiting = correlations(group.records, COLUMNS["wall_s"])
    if group.time.key == "wall_s" or not waiting or _named(waiting) == _named(found):
        return text
    return f"{text}; what a caller waits follows {_best(waiting)}"


def _named(found: Sequence[CountCorrelation]) -> list[str]:
    return [one.predictor.key for one in found if found[0].rho - one.rho < _CLOSE]


def _best(found: Sequence[CountCorrelation]) -> str:
    """The best count, those about as good, and FLOPs if they are neither."""
    near = _named(found)
    text = " and ".join(f"{one.predictor.title} ({one.rho:.2f})" for one in found if one.predictor.key in near)
    flops = next((one for one in found if one.predictor.key == "flops" and "flops" not in near), None)
    return f"{text}, not FLOPs ({flops.rho:.2f})" if flops else text


def _where(group: Alike) -> str:
    return f"at {group.about}, " if group.about else ""


def _joined(parts: Sequence[str]) -> str:
    """The parts as one sentence; only a word of ours gets a capital, a model's name stays as it is."""
    text = "; ".join(parts)
    return text[0].upper() + text[1:] if text.startswith(("at ", "the ", "none ")) else text


# Who is launch-bound.


def _waiting(group: Alike) -> str:
    """How many networks wait for Python for more than a tenth of a call, and which most."""
    shares = {
        record.workload.model: share
        for record in group.records
        if isinstance(share := COLUMNS["launch_bound"].value(record), float)
    }
    if not shares:
        return ""
    bound = sum(share > LAUNCH_BOUND for share in shares.values())
    worst = max(shares, key=lambda model: shares[model])
    start = f"{_where(group)}{bound or 'none'} of {len(shares)} networks"
    verb = "is" if bound < 2 else "are"
    most = f"{worst} most: the GPU waits for Python for {100 * shares[worst]:.0f} % of a call"
    return f"{start} {verb} launch-bound ({most})"


# Who is fastest and thriftiest.


def _winners(groups: Sequence[Alike]) -> str:
    for key in ("gross_per_image_j", ""):
        for group in groups:
            column = COLUMNS[key] if key else group.time
            found = accuracy.contest(group.records, column)
            if found:
                return _joined([_of_contest(group, found)])
    return next((_joined([text]) for group in groups if group.models > 1 and (text := _fastest(group))), "")


def _of_contest(group: Alike, found: accuracy.Contest) -> str:
    """The fastest and the thriftiest at all, and within a point of the most accurate."""
    most = max(found.points, key=lambda point: point.y)
    near = [point for point in found.points if point.y >= most.y - _NEAR_BEST]
    at_all, accurate = _champions(group, found.points), _champions(group, near)
    limit = f"{most.y - _NEAR_BEST:.1f} %"
    return (
        f"{_where(group)}{_worded(at_all)}; with a published accuracy of {limit} or more (recipe {found.recipe}) "
        f"{_worded(accurate)}."
    )


def _champions(group: Alike, points: Sequence[RecordPoint]) -> Mapping[str, str]:
    """The best network by time and by energy, with its figures."""
    best: dict[str, str] = {}
    for word, column in (("fastest", group.time), ("thriftiest", COLUMNS["gross_per_image_j"])):
        known = [(value, point) for point in points if (value := number(column, point.record))]
        if known:
            value, point = min(known, key=lambda one: one[0])
            batch = point.record.workload.batch
            share = value / batch if word == "fastest" else value
            unit = column.unit.name if column.unit else ""
            best[word] = f"{point.record.workload.model} ({share:.3g} {unit} an image, {point.y:.1f} %)"
    return best


def _worded(best: Mapping[str, str]) -> str:
    """`resnet34 (…) is fastest and densenet121 (…) thriftiest`; one network that is both is named once."""
    names = {word: text.partition(" (")[0] for word, text in best.items()}
    if len(set(names.values())) == 1 and len(best) > 1:
        fast, thrifty = best.values()
        figures = f"{fast.removesuffix(')').rpartition(', ')[0]}, {thrifty.partition('(')[2]}"
        return f"{figures} is fastest and thriftiest"
    return " and ".join(f"{text} {'is ' if not place else ''}{word}" for place, (word, text) in enumerate(best.items()))


def _fastest(group: Alike) -> str:
    known = [(value, record) for record in group.records if (value := number(group.time, record))]
    if not known:
        return ""
    value, record = min(known, key=lambda one: one[0])
    return f"{_where(group)}{record.workload.model} is fastest ({value:.3g} ms)."
