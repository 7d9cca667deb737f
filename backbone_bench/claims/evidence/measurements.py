"""Points in time or energy, by setting: from records of ours or from publications, in one shape.

A setting is all that must be alike for two points to be compared: the device,
its software, the batch, the precision. A point is an interval of seconds or joules an image. Two networks that
ran in turn are compared round by round, which drift and load hardly touch; other records by their points.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from backbone_bench.base.choices import DeviceKind
from backbone_bench.claims.data.checks import ClockQuantity
from backbone_bench.claims.data.subjects import Network
from backbone_bench.claims.evidence.publications import MeasuredScope, ModelKey, Publication
from backbone_bench.records import Energy, Latency, Missing, Record
from backbone_bench.records.setting import unusual
from backbone_bench.stats import ratios
from backbone_bench.stats.samples import Interval

REPEATABLE = 0.05  # timm's tables of one card, two releases apart: 94 % of the rows within 5 %
USUAL = 224  # pixels: where a table has several sizes of a network, a correlation takes the nearest to this


class CostRatio(NamedTuple):
    """One network's cost over another's, from one setting."""

    ratio: float
    interval: Interval
    how: str  # what a reader must know of it


@dataclass
class PairedRounds:
    """The rounds in which two networks ran one right after the other."""

    pairs: list[ratios.Pair] = field(default_factory=list)  # the first's cost over the second's
    flags: Counter[str] = field(default_factory=Counter)  # what was odd, and in how many of the processes


@dataclass
class MeasuredSetting:
    """Everything that was measured in one setting."""

    setting: str
    kind: DeviceKind
    measures: MeasuredScope = "backbone"
    paper: str | None = None  # the key of the paper whose own table it is
    device: str = ""  # of our own, and the day of the latest record
    when: str = ""
    networks: dict[str, Network] = field(default_factory=dict)  # of our own that read images, by name
    points: dict[ModelKey, Interval] = field(default_factory=dict)
    turns: dict[tuple[ModelKey, ModelKey], PairedRounds] = field(default_factory=dict)
    publication: Publication | None = None

    def between(self, of: Network, to: Network) -> CostRatio | None:
        """The cost of one over that of another: from all their rounds where there are any, else from their points."""
        return self._by_turns(self._key(of), self._key(to)) or self._by_points(of, to)

    def _by_turns(self, of: ModelKey, to: ModelKey) -> CostRatio | None:
        there, back = (self.turns.get(both, PairedRounds()) for both in ((of, to), (to, of)))
        pairs = [*there.pairs, *(pair.inverted for pair in back.pairs)]
        if not pairs:
            return None
        ratio, odd = ratios.interim_ratio(pairs), there.flags + back.flags
        told = [f"{len(pairs)} round{'s' * (len(pairs) != 1)} in turn"]
        if len(pairs) > 1:
            told.insert(0, _span(ratio.low, ratio.high))
        told += [f"{flag} in {count} of {2 * len(pairs)} processes" for flag, count in sorted(odd.items())]
        return CostRatio(ratio.estimate, Interval(ratio.low, ratio.high), f" ({', '.join(told)})")

    def _by_points(self, of: Network, to: Network) -> CostRatio | None:
        """The ratio of the middles, and the least and most that it can be."""
        one, two = self.at(of), self.at(to)
        if one is None or two is None:
            return None
        (left, guessed), (right, guessed_too) = one, two
        middle = (left.low * left.high / (right.low * right.high)) ** 0.5
        interval = Interval(left.low / right.high, left.high / right.low)
        told = [_span(*interval)] if self.publication is None else []
        told += ["interpolated in pixels"] if guessed or guessed_too else []
        return CostRatio(middle, interval, f" ({', '.join(told)})" if told else "")

    def _key(self, network: Network) -> ModelKey:
        name = self.publication.name(name_of(network)) if self.publication else name_of(network)
        return name, network.size or 0

    def at(self, network: Network) -> tuple[Interval, bool] | None:
        """The cost of a network, and whether it was interpolated in pixels between two sizes of it."""
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
        return Interval(*(a + share * (b - a) for a, b in zip(one, two, strict=True))), True


def _span(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}"


def name_of(network: Network) -> str:
    """A network of ours by its name and arguments."""
    return str(Network(network.model, None, network.arguments))


def published(publications: Iterable[Publication], quantity: ClockQuantity) -> list[MeasuredSetting]:
    """Each setting of each publication that has the quantity."""
    runs = []
    for publication in publications:
        meta = publication.meta
        for setting, rows in publication.settings().items():
            run = MeasuredSetting(setting.text, setting.kind, meta.measures, meta.paper, publication=publication)
            for key, row in rows.items():
                cost = publication.cost(row, quantity)
                if cost is not None:
                    run.points[key] = Interval(cost / (1 + REPEATABLE) ** 0.5, cost * (1 + REPEATABLE) ** 0.5)
            if run.points:
                runs.append(run)
    return runs


def measured(records: Sequence[Record], quantity: ClockQuantity) -> list[MeasuredSetting]:
    """Records of ours by machine and workload; of several points of one network in a setting the latest counts."""
    runs: dict[str, MeasuredSetting] = {}
    ordered = sorted(records, key=lambda record: record.started_utc)
    for record in ordered:
        point = _interval(record, quantity)
        if point is None:
            continue
        run = _run(runs, record)
        name, size = _key(record)
        run.points[name, size] = point
        if _reads_images(record) and not record.workload.names_code:  # it would be run to be counted
            run.networks[name] = Network(record.workload.model, None, record.workload.arguments or None)
    for a, b in _rounds(ordered):
        one, other = _value(a, quantity), _value(b, quantity)
        if one and other and _setting(a) == _setting(b):
            turns = _run(runs, a).turns.setdefault((_key(a), _key(b)), PairedRounds())
            turns.pairs.append(ratios.Pair(one, other))
            turns.flags.update(flag for record in (a, b) for flag in _flags(record))
    return list(runs.values())


def _run(runs: dict[str, MeasuredSetting], record: Record) -> MeasuredSetting:
    """The run that a record belongs to, begun where it is the first."""
    setting = _setting(record)
    run = runs.setdefault(setting, MeasuredSetting(setting, _kind(record), device=record.environment.device_name))
    run.when = max(run.when, record.started_utc[:10])
    return run


def _rounds(records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """Both halves of every round that is whole."""
    halves: dict[tuple[str, int], dict[str, Record]] = {}
    for record in records:
        if record.turn is not None:
            halves.setdefault((record.turn.comparison, record.turn.round), {})[record.turn.side] = record
    for sides in halves.values():
        if len(sides) == 2:
            yield sides["A"], sides["B"]


def _key(record: Record) -> ModelKey:
    workload = record.workload
    size = workload.specs[0].square if workload.specs else None
    return name_of(Network(workload.model, None, workload.arguments or None)), size or 0


def _reads_images(record: Record) -> bool:
    """Whether it is a network and no stack of layers from within one."""
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
    """Device time of an accelerator where there is any, else that of synchronised calls."""
    if isinstance(record.latency, Missing):
        return None
    modes = (record.latency.device, record.latency.wall)
    return next((mode for mode in modes if isinstance(mode, Latency)), None)


def _flags(record: Record) -> Iterator[str]:
    latency = _latency(record)
    yield from dict.fromkeys((*record.flags, *(latency.flags if latency else ())))


def _value(record: Record, quantity: ClockQuantity) -> float | None:
    """Seconds or gross joules an image."""
    if quantity == "energy":
        return record.energy.gross_per_image_j if isinstance(record.energy, Energy) else None
    latency = _latency(record)
    return latency.median_s / record.workload.batch if latency else None


def _interval(record: Record, quantity: ClockQuantity) -> Interval | None:
    return _time_s(record) if quantity == "time" else _energy_j(record)


def _time_s(record: Record) -> Interval | None:
    latency = _latency(record)
    if latency is None:
        return None
    interval = latency.ci95_s
    if isinstance(interval, Missing):
        interval = min(latency.samples_s), max(latency.samples_s)
    low, high = interval
    if low <= 0:  # so noisy that the interval reaches to where no time lies; times are compared as ratios
        low = min(latency.samples_s)
    return Interval(low / record.workload.batch, high / record.workload.batch) if low > 0 else None


def _energy_j(record: Record) -> Interval | None:
    """Gross joules an image with the repeat error; the sensor's gain is the same for both of a pair."""
    energy = record.energy
    if not isinstance(energy, Energy) or isinstance(energy.repeat_relative, Missing):
        return None
    joules, share = energy.gross_per_image_j, energy.repeat_relative
    if share >= 1:  # it says nothing, not even that there was any
        return None
    return Interval(joules * (1 - share), joules * (1 + share))
