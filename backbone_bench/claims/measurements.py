"""Points in time or energy, by setting: from records of ours or from publications, in one shape.

A setting is all that must be alike for two points to be compared: the device,
its software, the batch, the precision. A point is an interval of seconds or joules an image.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backbone_bench.claims.checks import Quantity
from backbone_bench.claims.publications import Kind, Measured, Publication
from backbone_bench.claims.subjects import Network
from backbone_bench.records import Energy, Latency, Missing, Record
from backbone_bench.stats import Interval

REPEATABLE = 0.05  # timm's tables of one card, two releases apart: 94 % of the rows within 5 %
USUAL = 224  # pixels: where a table has several sizes of a network, a correlation takes the nearest to this


@dataclass
class Run:
    """Everything that was measured in one setting."""

    setting: str
    kind: Kind
    measures: Measured = "backbone"
    paper: str | None = None  # the key of the paper whose own table it is
    when: str = ""  # of our own: the day of the latest record
    networks: dict[str, Network] = field(default_factory=dict)  # of our own, by name
    points: dict[tuple[str, int], Interval] = field(default_factory=dict)  # by `key`
    publication: Publication | None = None

    def at(self, network: Network) -> tuple[Interval, bool] | None:
        """The cost of a network, and whether it was interpolated in pixels between two sizes of it."""
        name = self.publication.name(name_of(network)) if self.publication else name_of(network)
        size = network.size or 0
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


def name_of(network: Network) -> str:
    """A network of ours by its name and arguments."""
    return str(Network(network.model, None, network.arguments))


def published(publications: Iterable[Publication], quantity: Quantity) -> list[Run]:
    """Each setting of each publication that has the quantity."""
    runs = []
    for publication in publications:
        meta = publication.meta
        for setting, rows in publication.settings().items():
            run = Run(setting.text, setting.kind, meta.measures, meta.paper, publication=publication)
            for key, row in rows.items():
                cost = publication.cost(row, quantity)
                if cost is not None:
                    run.points[key] = Interval(cost / (1 + REPEATABLE) ** 0.5, cost * (1 + REPEATABLE) ** 0.5)
            if run.points:
                runs.append(run)
    return runs


def measured(records: Sequence[Record], quantity: Quantity) -> list[Run]:
    """Records of ours by machine and workload; of several of one network in a setting the latest counts."""
    runs: dict[str, Run] = {}
    for record in sorted(records, key=lambda record: record.started_utc):
        point = _time_s(record) if quantity == "time" else _energy_j(record)
        if point is None:
            continue
        setting = _setting(record)
        run = runs.setdefault(setting, Run(setting, _kind(record)))
        run.when = record.started_utc[:10]
        workload = record.workload
        network = Network(workload.model, None, workload.arguments or None)
        run.points[name_of(network), _size(workload.inputs)] = point
        run.networks[name_of(network)] = network
    return list(runs.values())


def _kind(record: Record) -> Kind:
    return "cpu" if record.environment.device == "cpu" else "gpu"


def _size(inputs: Sequence[str]) -> int:
    """The width of the first image of `1x3x224x224:float32`; 0 where it is none."""
    shape = inputs[0].rpartition(":")[0].split("x") if inputs else []
    return int(shape[3]) if len(shape) == 4 and shape[2] == shape[3] else 0


def _setting(record: Record) -> str:
    machine, workload = record.environment, record.workload
    said: Mapping[str, object] = {
        "torch": machine.torch,
        "batch": workload.batch,
        "threads": workload.threads,
        "compiled": workload.compile,
    }
    told = ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)
    return f"{machine.device_name}, {workload.mode}, {workload.precision}, {workload.memory_format}, {told}"


def _time_s(record: Record) -> Interval | None:
    """Seconds an image: device time of an accelerator where there is any, else of synchronised calls."""
    if isinstance(record.latency, Missing):
        return None
    modes = (record.latency.device, record.latency.wall)
    latency = next((mode for mode in modes if isinstance(mode, Latency)), None)
    if latency is None:
        return None
    interval = latency.ci95_s
    if isinstance(interval, Missing):
        interval = min(latency.samples_s), max(latency.samples_s)
    return Interval(*(seconds / record.workload.batch for seconds in interval))


def _energy_j(record: Record) -> Interval | None:
    """Gross joules an image with the repeat error; the sensor's gain is the same for both of a pair."""
    energy = record.energy
    if not isinstance(energy, Energy) or isinstance(energy.repeat_relative, Missing):
        return None
    joules, share = energy.gross_per_image_j, energy.repeat_relative
    return Interval(joules * (1 - share), joules * (1 + share))
