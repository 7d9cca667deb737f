"""Fuzz targets, one per loader of foreign files: any bytes are read, or refused in one line.

Seeds are made from files of the repository. What was read is then used as the
commands use it, so that a bad value which only a report divides by is found too.
"""

import atexit
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar, get_args

from backbone_bench.base.choices import Tracker
from backbone_bench.base.errors import UserError
from backbone_bench.claims.data import figures, subjects
from backbone_bench.claims.data import papers as data
from backbone_bench.claims.data.metrics import ConvolutionShape
from backbone_bench.claims.evidence import publications
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges import engine, plan
from backbone_bench.claims.report import tables as claim_report
from backbone_bench.claims.report import working
from backbone_bench.cli import choose, gate_output, options, predicted
from backbone_bench.gate import baseline, comparisons
from backbone_bench.gate.report import text as gate
from backbone_bench.gate.report import trackers
from backbone_bench.gate.session import GateRules
from backbone_bench.gate.verdicts import Acknowledgement, GateReport
from backbone_bench.jobs import settings
from backbone_bench.jobs.job import Job
from backbone_bench.pages import page
from backbone_bench.predictor import predict
from backbone_bench.predictor.calibration import dumps, loads
from backbone_bench.predictor.shipped import Chosen, shipped
from backbone_bench.records import Latencies, Latency, Missing, ModelCost, OpCost, Record, TensorSpec, store
from backbone_bench.records.condensed import condensed
from backbone_bench.report.drawing import svg
from backbone_bench.report.plots.which import draw
from backbone_bench.report.tables.formats import write
from backbone_bench.report.views import history, render
from backbone_bench.report.views.columns import COLUMNS, COMPARE, named
from backbone_bench.report.views.compare import View
from backbone_bench.run.sweep import parse_shard
from backbone_bench.zoo import archives
from tests.fuzz.documents import ARCHIVE, JSON, LINES, TEXT, TOML, Form, changed
from tests.report import samples

ROOT = Path(__file__).parents[2]


class Target(NamedTuple):
    """A loader: the file format, a function that reads and uses the bytes, and valid examples."""

    form: Form
    read: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]

    def nearly(self, text: bytes, chance: random.Random) -> bytes:
        """Mutate the text as a document, or mutate a seed if the text is no document."""
        seeds = self.seeds()
        try:
            return changed(text, self.form, seeds, chance)
        except (ValueError, RecursionError):
            return changed(chance.choice(seeds), self.form, seeds, chance)


Given = TypeVar("Given")


def refusal(read: Callable[[Given], object], given: Given) -> str:
    """The one-line `UserError` of a reader for this input; empty if it accepts it. Any other exception is a bug."""
    message = ""
    try:
        read(given)
    except UserError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1
    return message


def _ignored(_: str) -> None:
    pass


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="backbone-bench-fuzz."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _kept(name: str, text: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(text)
    return path


# Records.


def _small(record: Record) -> Record:
    """Cut the record to a few samples and operations: the same kinds of values in 1 % of the bytes."""
    if isinstance(record.latency, Latencies) and isinstance(record.latency.wall, Latency):
        wall = replace(record.latency.wall, samples_s=record.latency.wall.samples_s[:20])
        record = replace(record, latency=replace(record.latency, wall=wall))
    if not isinstance(record.cost, Missing):
        record = replace(record, cost=replace(record.cost, by_op=record.cost.by_op[:4]))
    return condensed(record)


@cache
def _records() -> tuple[Record, ...]:
    files = sorted((ROOT / "results" / "records").glob("*.jsonl"))
    ours = [record for file in files for record in islice(store.read([file], _ignored), 3)]
    return tuple(_small(record) for record in (*ours, *samples.EVERY))


def _lines() -> list[bytes]:
    records = _records()
    groups = [*((record,) for record in records), records[3:6], records[-4:]]
    return [store.dump_lines(group).encode() for group in groups]


def _read(text: bytes) -> tuple[Record, ...]:
    return store.read([_kept("some.jsonl", text)], _ignored)


def read_records(text: bytes) -> None:
    """Records that were read can be written, and are read back unchanged."""
    read = _read(text)
    again = store.read([_kept("again.json", store.dumps(read).encode())], _ignored)
    assert again == read
    for record in read:
        record.workload.key  # noqa: B018  # computed from every field of the workload
        assert str(Job.from_record(record))


def show_tables(text: bytes) -> None:
    """Draw tables, layers, histories and exports of records; the commands themselves refuse a file without records."""
    read = _read(text)
    if not read:
        return
    every = View(tuple(COLUMNS.values()), relative_to=read[0].workload.model)
    for form in ("md", "csv", "table"):
        for view in (View(COMPARE), every):
            write(render.answer(read, view, 2), form)
            write(render.answer(read, view), form)
        write(history.answer(read), form)
    for tracker in get_args(Tracker):
        trackers.export(read, tracker)


def show_page(text: bytes) -> None:
    """Draw the HTML page and the plots of records, with the claims that they decide."""
    read = _read(text)
    if read:
        page.page(read, View(COMPARE))
        for plot in draw(read):
            svg.file(plot)


def judge_by_records(text: bytes) -> None:
    """Judge the shipped claims about latency and energy by these records."""
    book = Evidence(count=_count, shapes=_shapes, records=_read(text))
    outcomes = engine.judge_all(_timed(), book)
    write(claim_report.answer(outcomes), "md")


@cache
def _timed() -> tuple[data.ClaimEntry, ...]:
    entries = data.entries(data.shipped())
    return tuple(entry for entry in entries if any(isinstance(check, engine.CLOCK) for check in entry.claim.check))


# Baselines.


def _baselines() -> list[bytes]:
    records = _records()
    entry = Acknowledgement("2026-11-24T06:00:00Z", "a wider stage", "0.1.0", ("flops of net changed",))
    noise = baseline.Calibration("2026-11-24T06:00:00Z", "ab" * 32, "net", "wall_s", 0.02, 5)
    notes = baseline.Notes((entry,), (noise,))
    files = [baseline.Baseline(group, notes) for group in (records[:2], records[3:5], records[-3:])]
    path = _folder() / "made.json"
    made = []
    for file in files:
        baseline.write(path, file)
        made.append(path.read_bytes())
    return made


def compare_with_baseline(text: bytes) -> None:
    """Read a baseline, compare it with records of the same and of other workloads, report, and write it again."""
    stored = baseline.read(_kept("baseline.json", text))
    rules = GateRules(noise=stored.noise)
    for heads in (stored.records[::-1], _records()):
        compared = comparisons.files(stored, heads, rules)
        report = GateReport("baseline", "now", tuple(compared.findings), tuple(compared.remarks))
        for form in ("md", "json", "csv", "table", "junit"):
            write(gate.answer(report), form)
    path = _folder() / "again.json"
    baseline.write(path, stored)
    assert baseline.read(path) == stored


# Claims.

_NETWORKS = {"small": 2_000_000, "large": 5_000_000}


def _count(model: str, arguments: Mapping[str, object], size: int | None, batch: int) -> ModelCost:
    """Counts made from the length of a network's name; one letter costs no FLOPs, a name with a space is unknown."""
    if " " in model:
        raise UserError(f"The zoo has no model {model!r}.")
    flops = _NETWORKS.get(model, 1000 * (len(model) - 1))
    rows = (
        OpCost("", "convolution", 1, flops * batch, 1000, 500, 1000 * batch, 4000 * batch),
        OpCost("", "batch_norm", 1, 0, 0, 0, 200 * batch, 800 * batch),
    )
    return ModelCost(1000, 4000, Missing("none", "none"), "meta", rows)


def _shapes(model: str, arguments: Mapping[str, object], size: int | None) -> tuple[ConvolutionShape, ...]:
    shapes = ConvolutionShape(9, 64, 64, 3136, 1, 3136), ConvolutionShape(1, 64, 256, 3136, 2, 3136)
    return shapes if len(model) > 1 else ()


def _claims() -> list[bytes]:
    """One file per claim: small files, so that a mutation hits something relevant."""
    folder = ROOT / "backbone_bench" / "claims" / "papers"
    papers = [TOML.read(file.read_bytes()) for file in sorted(folder.glob("*.toml"))]
    return [TOML.write({**paper, "claim": [claim]}) for paper in papers for claim in paper["claim"]]


@cache
def _publications() -> tuple[publications.Publication, ...]:
    """The short publications: a correlation over hundreds of rows takes seconds."""
    return tuple(one for one in publications.shipped() if len(one.rows) < 100)


def judge_claims(text: bytes) -> None:
    """Read a file of claims, judge it by counts, records and publications, and report."""
    paper = data.read(_kept("claims.toml", text))
    entries = list(data.entries((paper,)))
    book = Evidence(count=_count, shapes=_shapes, records=_records(), publications=_publications())
    plan.planned(entries, book, ("time", "energy"))
    outcomes = engine.judge_all(entries, book)
    for form in ("md", "csv", "json", "table"):
        write(claim_report.answer(outcomes), form)
    write(working.answer_with_working(outcomes), "md")


# Archives.


def _archives() -> list[bytes]:
    """Archives with entries named as torch names them; loading them with torch is not tested here."""
    weights = '{"config": {"conv.weight": {"path_name": "weight_0", "is_param": true, "tensor_meta": {"dtype": 7}}}}'
    entries = [
        ["net/archive_format", "pt2"],
        ["net/data/weights/model_weights_config.json", weights],
        ["net/data/constants/model_constants_config.json", '{"config": {}}'],
        ["net/data/weights/weight_0", "0000"],
    ]
    return [ARCHIVE.write(entries)]


def look_into_archive(text: bytes) -> None:
    archives.refuse_code(str(_kept("net.pt2", text)))


# Settings and words.

_SETTINGS = {
    "model": ["resnet18", "timm:resnet50"], "batch-size": [1, "auto"], "arg": ["width=2"], "input": ["3x64x64:float16"],
    "device": "cpu", "threads": "1,2", "budget": 2.5, "lock-clocks": 1410.0, "energy-window": 2, "seed": 3,
    "precision": ["fp32", "amp"], "latency": True, "energy": "off", "compile": "default", "timeout": 60,
}  # fmt: skip


def resolve_settings(text: bytes) -> None:
    """Read a `bench.toml` and make jobs of its settings."""
    (folder := _folder() / "settings").mkdir(exist_ok=True)
    (folder / "bench.toml").write_bytes(text)
    _jobs(settings.resolve(settings.here({}, folder)).settings)


def _jobs(resolved: settings.Settings) -> None:
    names = choose.models(resolved.model, resolved.family, everything=resolved.all) if resolved.model else ["resnet18"]
    if len(resolved.batch_size) * len(resolved.device) * len(names) < 1000:
        assert all(map(str, resolved.jobs(names, options.arguments(list(resolved.arg)))))


def resolve_variables(text: bytes) -> None:
    """Read lines `NAME=text` as environment variables."""
    pairs = (line.partition("=") for line in text.decode("utf-8", "surrogateescape").split("\n"))
    environ = {f"{settings.PREFIX}{name}": value for name, _, value in pairs}
    _jobs(settings.resolve(settings.here(environ, Path("/"))).settings)


_VARIABLES = "MODEL=resnet18,vovnet39\nBATCH_SIZE=1,auto\nTRAIN=true\nBUDGET=1.5\nINPUT=3x32x32\nLOCK_CLOCKS=base"

WORDS: Sequence[Callable[[str], object]] = (
    TensorSpec.parse,
    parse_shard,
    figures.parse,
    figures.parse_share,
    named,
    gate_output.verdicts,
    lambda word: gate_output._tracker(word),
    lambda word: options.arguments([word]),
    lambda word: choose.models([word], None, everything=False),
    lambda word: choose.models(None, [word], everything=False),
    lambda word: options.format_of(Path(word)),
    lambda word: subjects.network(word or "x"),
)


def read_words(text: bytes) -> None:
    """Parse each line as every kind of argument that the command line parses."""
    for word in text.decode("utf-8", "surrogateescape").split("\n"):
        for read in WORDS:
            refusal(read, word)


_WORDS = "3x224x224:float16\nmask=1x16:bool\n1/4\n4.1G\n25.6 M\n2%\nwall_s,flops\nwidth=0.5\nregressed\nbencher=a.json"


def predict_by_calibration(text: bytes) -> None:
    """Predict with a calibration, and show what it says."""
    calibration = loads(text.decode(errors="replace"), "given.toml")
    prediction = predict(samples.RESNET50, Chosen(calibration), extrapolate=True)
    for form in ("md", "csv", "json"):
        write(predicted.answer([prediction], "resnet50", 1), form)


def _calibrations() -> list[bytes]:
    """Shipped calibrations, each with its first rows."""
    return [dumps(replace(one, rows=one.rows[:2])).encode() for one in shipped()[:3]]


TARGETS: Mapping[str, Target] = {
    "records": Target(LINES, read_records, cache(_lines)),
    "tables": Target(LINES, show_tables, cache(_lines)),
    "page": Target(LINES, show_page, cache(_lines)),
    "measured": Target(LINES, judge_by_records, cache(_lines)),
    "baseline": Target(JSON, compare_with_baseline, cache(_baselines)),
    "claims": Target(TOML, judge_claims, cache(_claims)),
    "calibration": Target(TOML, predict_by_calibration, cache(_calibrations)),
    "archive": Target(ARCHIVE, look_into_archive, cache(_archives)),
    "settings": Target(TOML, resolve_settings, cache(lambda: [TOML.write(_SETTINGS)])),
    "variables": Target(TEXT, resolve_variables, cache(lambda: [_VARIABLES.encode()])),
    "words": Target(TEXT, read_words, cache(lambda: [_WORDS.encode()])),
}
