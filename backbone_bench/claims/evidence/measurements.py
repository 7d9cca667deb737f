"""Measured time or energy of networks by setting, in one form for our records and for publications.

A setting is everything that must be equal for a comparison: device, software, batch, precision. A point is the range of
a network's seconds or joules per image. Two networks that ran in turn are compared round by round, because drift and
load affect both halves of a round alike; others are compared by their points.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from operator import itemgetter
from typing import NamedTuple

from backbone_bench.base.choices import DeviceKind
from backbone_bench.claims.data.checks import ClockQuantity
from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.evidence.publications import MeasuredScope, ModelKey, Publication
from backbone_bench.records import Energy, Latency, Missing, Record, Tool
from backbone_bench.records.quantities import QUANTITIES, turns
from backbone_bench.records.setting import unusual
from backbone_bench.stats import ratios
from backbone_bench.stats.samples import Interval
from backbone_bench.zoo.defaults import without_defaults

# How far two processes differ on one machine. timm's tables of one card, two releases apart: 94 % of the rows differ by
# at most 5 %. Replays of our graphs on an NVIDIA H200: up to 4.5 %, because cuDNN chose another algorithm.
REPEATABLE = 0.05
MOST_PROCESSES = 100  # more than anyone runs for one ratio
USUAL_SIZE = 224  # pixels: of several sizes of a network, a correlation takes the one nearest to this


BY_ROUNDS = f"{ratios.CONFIDENCE * 100:g} % CI"
BY_POINTS = "range"  # smallest and largest ratio of two points


class CostRatio(NamedTuple):
    """Ratio of two networks' time or energy in one setting."""

    ratio: float
    interval: Interval
    bounds: str  # what the interval is: BY_ROUNDS or BY_POINTS
    details: str  # how it was measured, in brackets
    processes: int = 0  # the fewest of either network, if no two ran in turn

    def needed(self, bound: float) -> int:
        """The number of processes of each network that would decide on which side of the bound the ratio is."""
        distance = abs(math.log(self.ratio / bound))
        return math.ceil((math.log1p(-REPEATABLE) / distance) ** 2) if distance else MOST_PROCESSES


class MeasuredCost(NamedTuple):
    """Seconds or joules per image of a network in one setting, and the range in which another measurement may be."""

    low: float
    value: float
    high: float


@dataclass
class PairedRounds:
    """The rounds of two networks: in each, a process of both, alive together and in turn or one after the other."""

    pairs: list[ratios.Pair] = field(default_factory=list)  # seconds or joules per image of the first and the second
    flags: Counter[str] = field(default_factory=Counter)  # warning flags, and the number of processes that had each


@dataclass
class MeasuredSetting:
    """All measurements of one setting."""

    setting: str
    kind: DeviceKind
    measures: MeasuredScope = "backbone"
    paper: str | None = None  # the key of the paper that printed this table
    device: str = ""  # of our own records
    when: str = ""  # day of the latest of our own records
    networks: dict[str, Network] = field(default_factory=dict)  # by name, those of our own records that take images
    points: dict[ModelKey, MeasuredCost] = field(default_factory=dict)
    processes: Counter[ModelKey] = field(default_factory=Counter)  # of our own records behind each point
    rounds: dict[tuple[ModelKey, ModelKey], PairedRounds] = field(default_factory=dict)
    publication: Publication | None = None

    def ratio(self, of: Network, to: Network) -> CostRatio | None:
        """Ratio of time or energy, `of` over `to`: from all their rounds if there are any, else from their points."""
        return self._by_rounds(self._key(of), self._key(to)) or self._by_points(of, to)

    def _by_rounds(self, of: ModelKey, to: ModelKey) -> CostRatio | None:
        rounds, swapped = (self.rounds.get(both, PairedRounds()) for both in ((of, to), (to, of)))
        pairs = [*rounds.pairs, *(pair.inverted for pair in swapped.pairs)]
        if not pairs:
            return None
        ratio, flags = ratios.interim_ratio(pairs), rounds.flags + swapped.flags
        details = [f"{len(pairs)} round{'s' * (len(pairs) != 1)} in turn"]
        if len(pairs) > 1:
            details.insert(0, f"{BY_ROUNDS} {_span(ratio.low, ratio.high)}")
        details += [f"{flag} in {count} of {2 * len(pairs)} processes" for flag, count in sorted(flags.items())]
        return CostRatio(ratio.estimate, Interval(ratio.low, ratio.high), BY_ROUNDS, f" ({', '.join(details)})")

    def _by_points(self, of: Network, to: Network) -> CostRatio | None:
        """Ratio of the points' values, and the smallest and largest ratio that the points allow."""
        one, two = self.point(of), self.point(to)
        if one is None or two is None:
            return None
        (left, left_interpolated), (right, right_interpolated) = one, two
        estimate = left.value / right.value
        interval = Interval(left.low / right.high, left.high / right.low)
        processes = [self.processes[self._key(network)] or 1 for network in (of, to)]
        details = [f"{BY_POINTS} {_span(*interval)}", _in_words(processes)] if self.publication is None else []
        details += ["interpolated in pixels"] if left_interpolated or right_interpolated else []
        text = f" ({', '.join(details)})" if details else ""
        return CostRatio(estimate, interval, BY_POINTS, text, 0 if self.publication else min(processes))

    def _key(self, network: Network) -> ModelKey:
        name = self.publication.name(_spelled(network)) if self.publication else name_of(network)
        return name, network.size or 0

    def point(self, network: Network) -> tuple[MeasuredCost, bool] | None:
        """The network's time or energy, and whether it was interpolated in pixels between two measured sizes."""
        name, size = self._key(network)
        if (name, size) in self.points:
            return self.points[name, size], False
        sizes = sorted(pixels for model, pixels in self.points if model == name)
        below = [pixels for pixels in sizes if pixels < size]
        above = [pixels for pixels in sizes if pixels > size]
        if not (below and above):
            return None
        left, right = below[-1], above[0]
        share = (size**2 - left**2) / (right**2 - left**2)
        one, two = self.points[name, left], self.points[name, right]
        return MeasuredCost(*(a + share * (b - a) for a, b in zip(one, two, strict=True))), True


def _span(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}"


def _in_words(processes: Sequence[int]) -> str:
    one, two = processes
    if one == two == 1:
        return "one process each"
    return f"{one} processes each" if one == two else f"{one} and {two} processes"


def _spelled(network: Network) -> str:
    """Name and arguments of a network as a claim and a published table spell them, without its size."""
    return str(Network(network.model, None, network.arguments))


def name_of(network: Network) -> str:
    """Name and arguments of one of our networks, without its size and without arguments that are the default."""
    arguments = without_defaults(network.model, network.arguments or {})
    return str(Network(network.model, None, dict(sorted(arguments.items())) or None))


def published(publications: Iterable[Publication], quantity: ClockQuantity) -> list[MeasuredSetting]:
    """Published measurements of a quantity: one `MeasuredSetting` for each setting of each publication."""
    found = []
    for publication in publications:
        meta = publication.meta
        for setting, rows in publication.settings().items():
            group = MeasuredSetting(setting.text, setting.kind, meta.measures, meta.paper, publication=publication)
            for key, row in rows.items():
                cost = publication.cost(row, quantity)
                if cost is not None:
                    group.points[key] = _joint([MeasuredCost(cost, cost, cost)])
            if group.points:
                found.append(group)
    return found


def _joint(costs: Sequence[MeasuredCost]) -> MeasuredCost:
    """The geometric means of several processes; the range is at least as wide as the means of so many differ.

    The ratio of two networks has the ranges of both, so each has the square root of what two processes differ by.
    """
    low, value, high = (statistics.geometric_mean(ends) for ends in zip(*costs, strict=True))
    factor = (1 - REPEATABLE) ** (-0.5 / len(costs) ** 0.5)
    return MeasuredCost(min(low, value / factor), value, max(high, value * factor))


def measured(records: Sequence[Record], quantity: ClockQuantity) -> list[MeasuredSetting]:
    """Our own measurements by setting; of a network in a setting, the records of the latest version of this program.

    The interval of one record is that of its process alone, and other processes differ by more.
    """
    groups: dict[str, MeasuredSetting] = {}
    ordered = sorted(records, key=lambda record: record.started_utc)
    taken: dict[tuple[str, ModelKey], tuple[Tool, list[MeasuredCost]]] = {}
    for record in ordered:
        cost = _time_s(record) if quantity == "time" else _energy_j(record)
        if cost is None:
            continue
        group = _group(groups, record)
        name, size = _key(record)
        tool, costs = taken.get((group.setting, (name, size)), (record.tool, []))
        same = (tool.version, tool.git) == (record.tool.version, record.tool.git)
        costs = [*costs, cost] if same else [cost]
        taken[group.setting, (name, size)] = record.tool, costs
        group.points[name, size], group.processes[name, size] = _joint(costs), len(costs)
        # Counting a network whose name is code would run that code, and a record may come from anywhere.
        if _reads_images(record) and not record.workload.names_code:
            group.networks[name] = Network(record.workload.model, None, record.workload.arguments or None)
    for a, b in _rounds(ordered):
        one, other = _value(a, quantity), _value(b, quantity)
        if one and other and _setting(a) == _setting(b):
            rounds = _group(groups, a).rounds.setdefault((_key(a), _key(b)), PairedRounds())
            rounds.pairs.append(_pair(a, b, ratios.Pair(one, other), quantity))
            rounds.flags.update(flag for record in (a, b) for flag in _flags(record))
    return list(groups.values())


def _group(groups: dict[str, MeasuredSetting], record: Record) -> MeasuredSetting:
    """The `MeasuredSetting` of a record; its first record creates it."""
    setting = _setting(record)
    group = groups.setdefault(setting, MeasuredSetting(setting, _kind(record), device=record.environment.device_name))
    group.when = max(group.when, record.started_utc[:10])
    return group


def _pair(a: Record, b: Record, pair: ratios.Pair, quantity: ClockQuantity) -> ratios.Pair:
    """The pair of a round; of two processes that took turns, by the ratio of their turns."""
    return ratios.of_turns(pair, turns(a, b, QUANTITIES["device_work_s"]) if quantity == "time" else ())


def _rounds(records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """Every two records of each round, in the order of their sides."""
    halves: dict[tuple[str, int], dict[str, Record]] = {}
    for record in records:
        if record.turn is not None:
            halves.setdefault((record.turn.comparison, record.turn.round), {})[record.turn.side] = record
    for sides in halves.values():
        yield from combinations((record for _, record in sorted(sides.items(), key=itemgetter(0))), 2)


def _key(record: Record) -> ModelKey:
    workload = record.workload
    size = workload.specs[0].square if workload.specs else None
    return name_of(Network(workload.model, None, workload.arguments or None)), size or 0


def _reads_images(record: Record) -> bool:
    """Whether the first input has three channels: a network, not a stack of inner layers."""
    specs = record.workload.specs
    return bool(specs) and specs[0].shape[1:2] == (3,)


def _kind(record: Record) -> DeviceKind:
    return "cpu" if record.environment.is_host else "gpu"


def _setting(record: Record) -> str:
    machine, workload = record.environment, record.workload
    always = (workload.mode, workload.precision, workload.memory_format, f"torch {machine.torch}")
    others = unusual(workload, "mode", "precision", "memory_format", "arguments", "seed")
    return ", ".join((machine.device_name, *always, f"batch {workload.batch}", *others))


def _latency(record: Record) -> Latency | None:
    """The device's work, which claims about time are about; None if it was not measured."""
    work = record.device_work
    return None if isinstance(work, Missing) else work


def _flags(record: Record) -> Iterator[str]:
    latency = _latency(record)
    yield from dict.fromkeys((*record.flags, *(latency.flags if latency else ())))


def _value(record: Record, quantity: ClockQuantity) -> float | None:
    """Seconds or gross joules per image."""
    if quantity == "energy":
        energy = record.energy
        return energy.gross_per_image_j if isinstance(energy, Energy) and _is_of_work(record) else None
    latency = _latency(record)
    return latency.median_s / record.workload.batch if latency else None


def _is_of_work(record: Record) -> bool:
    """Whether the energy is that of the device at work: that of a waiting caller has the gaps of a slow host in it."""
    return record.environment.is_host or record.energy_mode == "graph"


def _time_s(record: Record) -> MeasuredCost | None:
    """Seconds per image: the median and its 95 % confidence interval; with too few samples for one, their range."""
    latency = _latency(record)
    if latency is None:
        return None
    interval = latency.ci95_s
    if isinstance(interval, Missing):
        interval = min(latency.samples_s), max(latency.samples_s)
    low, high = interval
    if low <= 0:  # very noisy samples: a time is positive, and ratios need that
        low = min(latency.samples_s)
    batch = record.workload.batch
    return MeasuredCost(low / batch, latency.median_s / batch, high / batch) if low > 0 else None


def _energy_j(record: Record) -> MeasuredCost | None:
    """Gross joules per image: 95 % confidence interval. It leaves out the sensor's gain error: ratios cancel it."""
    energy = record.energy
    if not isinstance(energy, Energy) or isinstance(energy.repeat_relative, Missing) or not _is_of_work(record):
        return None
    joules, share = energy.gross_per_image_j, energy.repeat_relative
    if share >= 1:  # so uncertain that the energy may be zero
        return None
    return MeasuredCost(joules * (1 - share), joules, joules * (1 + share))
