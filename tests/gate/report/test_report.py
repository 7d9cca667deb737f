"""The report of a gate: golden files, formats that CI servers parse, and cutting for GitHub."""

import csv
import io
import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from backbone_bench.gate import stored
from backbone_bench.gate.baseline import Baseline
from backbone_bench.gate.noisy import RoundPlan
from backbone_bench.gate.report import github, trackers
from backbone_bench.gate.report.junit import junit
from backbone_bench.gate.report.text import answer
from backbone_bench.gate.session import GateRules, gate
from backbone_bench.gate.verdicts import VERDICTS, GateFinding, GateReport, GateVerdict, MeasuredChange
from backbone_bench.records import ModelCommit, Tool, matching
from backbone_bench.report.tables.formats import write
from backbone_bench.report.views import history
from tests.gate.samples import COST, HERE, WIDER, counted, processes, timed

QUIET = (-0.002, 0.001, 0.0, 0.002, -0.001)
ELSEWHERE = replace(HERE, cpu="Another CPU 2", torch="2.12.1")


def made() -> GateReport:
    """A report with nearly every verdict."""
    base = [
        *processes(0.0412, QUIET),
        *processes(0.02, QUIET, "noisy"),
        *processes(0.03, QUIET, "faster"),
        *[replace(record, environment=ELSEWHERE) for record in processes(0.01, QUIET, "elsewhere")],
        counted("gone"),
    ]
    heads = [
        *[replace(record, cost=WIDER) for record in processes(0.0446, QUIET[::-1])],
        *processes(0.0203, [15 * one for one in QUIET], "noisy"),
        *processes(0.027, QUIET, "faster"),
        *processes(0.01, QUIET, "elsewhere"),
        counted("fresh"),
    ]
    groups = matching.by_workload(heads)
    sides = stored.Stored(Baseline(tuple(base)), lambda name, _count: groups[name])
    findings, remarks = gate(list(groups), sides.take, GateRules(plan=RoundPlan(double=False, confirm=False)))
    command = "bench gate --baseline baseline.json -- run --model net"
    return GateReport(
        base="baseline.json",
        head="this run",
        findings=(*findings, *stored.missing(base, heads)),
        remarks=tuple(remarks),
        again=command,
        accept=f"{command.replace('gate', 'gate --update-baseline --reason why', 1)}",
    )


REPORT = made()
NASTY = "| a |<script>alert(1)</script>\n**b** `c` [d](e) \x1b[31m ::error::x"


@pytest.mark.parametrize("form", ["md", "table", "csv", "json"])
def test_the_report_reads_as_it_was_read(golden, form, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    golden(f"report.{form}", write(answer(REPORT), form))


def test_junit_reads_as_it_was_read(golden):
    golden("report.xml", junit(REPORT))


def test_every_finding_is_one_test_case_and_the_counts_are_those_of_the_cases():
    root = ElementTree.fromstring(junit(REPORT))
    cases = root.findall(".//testcase")
    assert len(cases) == len(REPORT.findings)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.attrib[attribute]) == len(root.findall(f".//{tag}"))


def test_what_is_acknowledged_is_no_failure_anywhere():
    accepted = replace(REPORT, acknowledged="on purpose")
    assert "<failure" not in junit(accepted)
    assert "::error" not in "\n".join(line for line in github.annotations(accepted) if "changed" in line)
    assert "Accepted: on purpose" in write(answer(accepted), "md")


VALUES = {
    GateVerdict.REGRESSED: {"change": MeasuredChange(1.2, 1.1, 1.3, 5), "base": 1.0, "head": 1.2, "threshold": 0.03},
    GateVerdict.IMPROVED: {"change": MeasuredChange(0.8, 0.7, 0.9, 5), "base": 1.0, "head": 0.8, "threshold": 0.03},
    GateVerdict.INCONCLUSIVE: {"change": MeasuredChange(1.0, 0.9, 1.1, 5), "base": 1.0, "head": 1.0, "threshold": 0.03},
    GateVerdict.CHANGED: {"metric": "flops", "base": 10, "head": 11},
}
NO_FAILURE = ("no failure", "no reason to fail", "not a failure", "does not fail")


@pytest.mark.parametrize("acknowledged", [None, "on purpose"])
@pytest.mark.parametrize("informal", [False, True])
@pytest.mark.parametrize("verdict", GateVerdict)
@pytest.mark.parametrize("fail_on", [(), *((verdict,) for verdict in GateVerdict), tuple(GateVerdict)])
def test_the_exit_code_junit_github_and_every_sentence_say_the_same_of_what_fails(
    verdict, fail_on, informal, acknowledged
):
    given = {"subject": "net", "metric": "wall_s", "verdict": verdict, "reason": "why", "informal": informal}
    found = GateFinding(**given | VALUES.get(verdict, {}))
    report = GateReport("then", "now", (found,), fail_on=fail_on, acknowledged=acknowledged)
    fails = report.exit_code != 0
    suite = ElementTree.fromstring(write(answer(report), "junit"))
    assert (int(suite.attrib["failures"]) + int(suite.attrib["errors"]) > 0) == fails
    assert any(line.startswith("::error") for line in github.annotations(report)) == fails
    assert json.loads(write(answer(report), "json"))["findings"][0]["fails"] is fails
    assert next(csv.DictReader(io.StringIO(write(answer(report), "csv"))))["fails"] == ("yes" if fails else "no")
    for form in ("md", "table", "junit"):
        text = write(answer(report), form)
        assert not fails or not any(words in text for words in NO_FAILURE)
        assert not fails or "for information" not in text
    if fails:
        assert "net" in write(answer(report), "md").split("| workload |")[0]  # a sentence names it, not the table alone


def test_every_verdict_has_its_row_and_an_exit_code_that_a_report_can_end_with():
    assert list(VERDICTS) == list(GateVerdict)
    for verdict, row in VERDICTS.items():
        assert GateReport("then", "now", (GateFinding("net", "", verdict),)).exit_code == row.exit_code


def test_a_regression_does_not_fail_because_fail_on_names_it_but_as_it_always_does():
    change = MeasuredChange(1.2, 1.1, 1.3, 5)
    found = GateFinding("net", "wall_s", GateVerdict.REGRESSED, 1.0, 1.2, change, 0.03)
    report = GateReport("then", "now", (found,), fail_on=(GateVerdict.REGRESSED,))
    assert "--fail-on" not in write(answer(report), "md").split("| workload |")[0]


def test_csv_has_a_row_a_finding_with_numbers_that_read_back():
    rows = list(csv.DictReader(io.StringIO(write(answer(REPORT), "csv"))))
    assert [row["verdict"] for row in rows] == [found.verdict.value for found in REPORT.ordered]
    slower = next(row for row in rows if row["verdict"] == "regressed")
    assert float(slower["low"]) < float(slower["ratio"]) < float(slower["high"])


def test_json_holds_everything_and_the_exit_code():
    document = json.loads(write(answer(REPORT), "json"))
    assert (document["exit_code"], document["verdict"]) == (3, "regressed")
    assert len(document["findings"]) == len(REPORT.findings)
    assert document["findings"][0]["change"]["rounds"] == 5


@given(st.text(min_size=1) | st.just(NASTY))
def test_no_name_breaks_a_report(name):
    found = GateFinding(
        name, "wall_s", GateVerdict.REGRESSED, 1.0, 2.0, MeasuredChange(2.0, 1.9, 2.1, 5), 0.03, 0.03, reason=name
    )
    report = GateReport(name, name, (found,), (name,), again=name, accept=name)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(write(answer(report), "md"))
    assert not [token for token in tokens if token.type == "html_block"]
    assert sum(token.type == "tr_open" for token in tokens) == 2
    assert len(ElementTree.fromstring(junit(report)).findall(".//testcase")) == 1
    assert len("\n".join(github.annotations(report)).split("\n")) == 1
    assert json.loads(write(answer(report), "json"))["findings"][0]["subject"] == name


@given(st.integers(0, 3000))
def test_a_summary_that_is_cut_fits_and_keeps_its_beginning_line_by_line(limit):
    whole = write(answer(REPORT), "md")
    cut = github.fit(whole, limit)
    assert len(cut.encode()) <= limit or cut == whole
    kept = [line for line in cut.splitlines() if not line.startswith("*Cut here")]
    while kept and not kept[-1]:
        kept.pop()
    assert whole.splitlines()[: len(kept)] == kept


def test_the_summary_of_many_regressions_stays_below_what_github_takes(tmp_path):
    slower = [
        GateFinding(
            f"network{n} {'x' * 1000}",
            "wall_s",
            GateVerdict.REGRESSED,
            1.0,
            2.0,
            MeasuredChange(2.0, 1.9, 2.1, 5),
            0.03,
        )
        for n in range(1100)
    ]
    file = tmp_path / "summary.md"
    file.write_text("the summary of another step\n")
    github.add_summary(
        {"GITHUB_STEP_SUMMARY": str(file)}, write(answer(GateReport("then", "now", tuple(slower))), "md")
    )
    text = file.read_text()
    assert (1 << 19) < len(text.encode()) < (1 << 20)
    assert text.startswith("the summary of another step\n## bench gate failed: 1100 regressed")
    assert "Cut here" in text


def test_no_summary_is_written_where_none_is_asked_for(tmp_path):
    github.add_summary({}, "report")
    assert not list(tmp_path.iterdir())


def test_github_is_told_no_more_than_it_shows():
    slower = [
        GateFinding(f"network{n}", "wall_s", GateVerdict.REGRESSED, 1.0, 2.0, MeasuredChange(2.0, 1.9, 2.1, 5), 0.03)
        for n in range(30)
    ]
    assert len(list(github.annotations(GateReport("then", "now", tuple(slower))))) == 10


def test_an_annotation_points_to_the_factory_of_the_model(tmp_path, monkeypatch):
    package = tmp_path / "work" / "nets"
    package.mkdir(parents=True)
    (package / "a,b.py").write_text("import torch\n\n\ndef small():\n    pass\n\n\nclass Large:\n    pass\n")
    (package / "__init__.py").write_text("def net(:\n")
    monkeypatch.chdir(tmp_path / "work")
    places = {
        "nets/a,b.py:small 1x3x8x8": "file=work/nets/a%2Cb.py,line=4,",
        "nets/a,b.py:Large (fp32, cpu)": "file=work/nets/a%2Cb.py,line=8,",
        "nets:net 1x3x8x8": "file=work/nets/__init__.py,line=1,",
        "timm:resnet18 1x3x8x8": "",
        "resnet18 1x3x8x8": "",
        "/elsewhere/net.py:small": "",
    }
    for subject, place in places.items():
        report = GateReport("then", "now", (GateFinding(subject, "", GateVerdict.INVALID, reason="why"),))
        (line,) = github.annotations(report, {"GITHUB_WORKSPACE": str(tmp_path)})
        assert line.startswith(f"::error {place}title=")


def test_percent_signs_and_line_ends_cannot_start_another_command():
    report = GateReport(
        "then", "now", (GateFinding("a%0A::set-output\n::error::", "", GateVerdict.INVALID, reason="why\r\n"),)
    )
    (line,) = github.annotations(report)
    assert line.count("::") >= 2
    assert "\n" not in line
    assert "%250A" in line


def test_trackers_get_every_quantity_of_every_workload():
    records = [*processes(0.04, QUIET), counted("other")]
    bencher = json.loads(trackers.export(records, "bencher"))
    exact = {"params", "flops", "access-elems", "traffic-elems", "ops"}
    assert bencher.keys() == {"net 1x3x224x224, 1 thread", "net 1x3x224x224", "other 1x3x224x224"}
    assert bencher["net 1x3x224x224"].keys() == exact  # they are the same with any number of threads
    assert not bencher["net 1x3x224x224, 1 thread"].keys() & exact
    wall = bencher["net 1x3x224x224, 1 thread"]["wall-s"]
    assert wall["lower_value"] < wall["value"] < wall["upper_value"]
    rows = json.loads(trackers.export(records, "github-action-benchmark"))
    assert all(set(row) <= {"name", "unit", "value", "range", "extra"} for row in rows)
    found = {row["name"]: row for row in rows}
    assert "other 1x3x224x224: FLOPs" in found
    assert found["net 1x3x224x224, 1 thread: wall latency"]["value"] == pytest.approx(40)
    assert found["net 1x3x224x224, 1 thread: wall latency"]["range"] == "± 0.08"  # QUIET is 0.2 % of 40 ms either way


def test_a_history_is_in_order_and_unlike_machines_have_their_own():
    days = [timed(0.04 + 0.001 * day, started_utc=f"2026-11-{10 + day}T06:00:00Z") for day in (2, 0, 1)]
    groups = history.histories([*days, timed(0.02, environment=ELSEWHERE)])
    assert [len(group) for group in groups] == [3, 1]
    assert [record.started_utc[8:10] for record in groups[0]] == ["10", "11", "12"]
    text = write(history.answer(days), "md")
    assert "▁▅█" in text
    assert "+5.0 %" in text
    several = write(history.answer([*days, timed(0.02, environment=ELSEWHERE)]), "md")
    assert several.count("\n| --- ") == 1  # one table has both
    assert several.count("net 1x3x224x224, 1 thread") == 2


def test_a_history_names_the_commit_at_which_a_level_or_a_count_changed():
    def day(number, wall_s, **changes):
        tool = Tool("0.1.0", f"c0ffee{number:03}abcd", ("bench",))
        return timed(wall_s, started_utc=f"2026-11-{10 + number}T06:00:00Z", tool=tool, **changes)

    noise = (0.0, 0.01, -0.01, 0.005, -0.005, 0.0, 0.01)
    days = [day(n, (0.04 if n < 7 else 0.044) * (1 + noise[n % 7])) for n in range(14)]
    slower = write(history.answer(days), "md")
    assert "Change points: +10.0 % at c0ffee007 (after c0ffee006), 2026-11-17." in slower
    own = [replace(one, model_commit=ModelCommit(f"{n:02}" * 20, dirty=n == 7)) for n, one in enumerate(days)]
    assert "+10.0 % at 070707070+ (after 060606060), 2026-11-17" in write(history.answer(own), "md")
    counted_days = [day(n, 0.04, cost=COST if n < 13 else WIDER) for n in range(14)]
    assert "Change points: +78.4 % at c0ffee013" in write(history.answer(counted_days, "flops"), "md")


@given(st.lists(st.floats(1e-6, 1e6), max_size=30))
def test_a_sparkline_has_a_bar_a_value_the_highest_for_the_greatest(values):
    drawn = history.sparkline(values)
    assert len(drawn) == len(values)
    if len(set(values)) > 1:
        assert drawn[values.index(max(values))] == "█"
        assert drawn[values.index(min(values))] == "▁"
