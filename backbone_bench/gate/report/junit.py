"""JUnit's XML, which every CI server shows: one test case a quantity of a workload.

The dialect that Jenkins, GitLab and GitHub's actions read: a failure for what
fails, an error for what could not be run, a skip with its reason for what has no verdict.
"""

from xml.etree import ElementTree

from backbone_bench.gate.report.sentences import TITLES, news
from backbone_bench.gate.verdicts import Finding, Report, Verdict
from backbone_bench.report.tables import escape

_OUTCOMES = {
    Verdict.INVALID: "error",
    Verdict.MISSING: "error",
    Verdict.REGRESSED: "failure",
    Verdict.CHANGED: "failure",
    Verdict.INCOMPARABLE: "skipped",
    Verdict.INCONCLUSIVE: "skipped",
    Verdict.NEW: "skipped",
}


def junit(report: Report) -> str:
    """The report as one test suite."""
    cases = [_case(found, accepted=report.acknowledged is not None) for found in report.ordered]
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


def _case(found: Finding, *, accepted: bool) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"classname": escape.visible(found.subject), "name": TITLES[found.metric]})
    outcome = _OUTCOMES.get(found.verdict)
    if outcome is None:
        return case
    if found.informal or (accepted and outcome == "failure"):
        outcome = "skipped"
    message = escape.visible(" ".join(f"{lead} {rest}".strip() for lead, rest, *_ in news([found])))
    ElementTree.SubElement(case, outcome, {"type": found.verdict.value, "message": message}).text = message
    return case
