"""JUnit XML for CI servers: one test case per quantity of a workload.

The dialect is that of Jenkins, GitLab and the GitHub actions: `failure` for a
failed comparison, `error` for a side that could not be compared, `skipped` with
the reason for a finding that neither fails nor passes.
"""

from dataclasses import replace
from xml.etree import ElementTree

from backbone_bench.gate.report.sentences import TITLES, headlines
from backbone_bench.gate.verdicts import VERDICTS, GateFinding, GateReport
from backbone_bench.report.tables import escape


def junit(report: GateReport) -> str:
    """The report as one test suite."""
    cases = [_case(report, found) for found in report.ordered]
    tags = [child.tag for case in cases for child in case]
    counts = {
        "tests": len(cases),
        "failures": tags.count("failure"),
        "errors": tags.count("error"),
        "skipped": tags.count("skipped"),
    }
    suite = ElementTree.Element("testsuite", {"name": "bench gate", **{name: str(n) for name, n in counts.items()}})
    suite.extend(cases)
    root = ElementTree.Element("testsuites", suite.attrib)
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(report: GateReport, found: GateFinding) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"classname": escape.visible(found.subject), "name": TITLES[found.metric]})
    row = VERDICTS[found.verdict]
    if row.decided and not report.fails(found):
        return case
    sentences = (f"{one.lead} {one.rest}".strip() for one in headlines(replace(report, findings=_told(report, found))))
    message = escape.visible(" ".join(sentences))
    outcome = row.junit if report.fails(found) else "skipped"
    ElementTree.SubElement(case, outcome, {"type": found.verdict.value, "message": message}).text = message
    return case


def _told(report: GateReport, found: GateFinding) -> tuple[GateFinding, ...]:
    """The findings that one sentence is about: all counts of a workload that changed alike, else one finding."""
    if not found.moved:
        return (found,)
    return tuple(
        one
        for one in report.findings
        if (one.subject, one.verdict, one.accepted) == (found.subject, found.verdict, found.accepted) and one.moved
    )
