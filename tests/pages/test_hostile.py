"""A malicious record: nothing that it names is opened, run or requested, and no format executes its text."""

import csv
import io
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from backbone_bench.jobs.job import Job
from backbone_bench.pages import folder
from backbone_bench.records import Record, store
from tests.pages.browser import CHROMIUM, browser
from tests.report.samples import VOVNET39, gpu_record

SCRIPT = (
    "</script></title></style></svg>\"'><script>document.title='ran'</script><img src=x onerror=document.title='ran'>"
)


FREE = (
    ("id",), ("tool", "version"), ("tool", "git"), ("tool", "argv", 0), ("workload", "model"), ("workload", "compile"),
    ("environment", "device_name"), ("environment", "torch"), ("environment", "cpu"), ("environment", "os"),
    ("environment", "host"), ("environment", "container"), ("environment", "governor"), ("cost", "by_op", 0, "module"),
    ("cost", "by_op", 0, "op"), ("watch", "flags", 0), ("started_utc",),
)  # fmt: skip


def hostile(text: str) -> list[Record]:
    """Records of four networks with this text in every field of free text; their energy is missing."""
    found = []
    for number in range(4):
        document = json.loads(store.dump_line(gpu_record(f"net{number}", 4_089_184_256 + number, 0.001)))
        for *path, last in FREE:
            inside = document
            for key in path:
                inside = inside[key]
            inside[last] = f"{text}{number}" if last == "model" else text
        document["flags"] = [text]
        document["workload"]["arguments"] = {text: text}
        document["energy"] = {"missing": text, "message": text}
        found.append(store._revive(document, "here"))
    return found


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder.write([*hostile(SCRIPT), VOVNET39], tmp_path / "report", relative_to=None)
    return tmp_path / "report"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_no_script_of_a_record_runs_in_the_page_or_in_a_plot(written: Path, tmp_path: Path):
    with browser(tmp_path / "profile") as window:
        for file in (written / "index.html", *sorted((written / "plots").glob("*.svg"))):
            window.events.clear()
            window.open(file)
            assert window.run("document.title") != "ran"
            assert window.received("Log.entryAdded") == []  # the policy had nothing to stop
            assert len(window.received("Network.requestWillBeSent")) == 1


def test_what_a_record_says_stays_in_its_place(written: Path):
    plots = sorted((written / "plots").glob("*.svg"))
    assert plots
    for plot in plots:
        assert not [part for part in ElementTree.parse(plot).iter() if part.tag.endswith(("script", "img"))]
    widths = {len(row) for row in csv.reader(io.StringIO((written / "tables.csv").read_text()))}
    assert len(widths) == 1
    markdown = (written / "tables.md").read_text()
    assert "<script" not in markdown.replace("\\<script", "")


def test_nothing_that_a_record_names_is_opened_or_run(tmp_path: Path):
    bait = tmp_path / "bait"
    bait.mkdir()
    (bait / "net.py").write_text("raise SystemExit('ran')")
    name = str(bait / "net.py")
    touched: list[str] = []
    watching = True

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in (
            "open",
            "import",
            "exec",
            "subprocess.Popen",
            "os.system",
            "os.listdir",
            "os.scandir",
        ):
            touched.extend(str(one) for one in arguments if str(bait) in str(one))

    sys.addaudithook(audit)  # it stays: Python cannot remove an audit hook
    records = hostile(f"{name}:Net")
    folder.write(records, tmp_path / "report", relative_to=records[0].workload.model)
    assert all(str(Job.from_record(record)) for record in records)
    (bait / "net.py").read_text()
    watching = False
    assert touched == [name]  # only the read by this test
