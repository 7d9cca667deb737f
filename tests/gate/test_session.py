"""From records of both sides to findings: verdicts, informational findings, and sides that are not comparable."""

from dataclasses import replace

import pytest

from backbone_bench.gate import stored
from backbone_bench.gate.baseline import Baseline
from backbone_bench.gate.measured import BaseHead, value
from backbone_bench.gate.noisy import RoundPlan, Spread
from backbone_bench.gate.session import GateRules, Unpaired, gate
from backbone_bench.gate.verdicts import GateFinding, GateReport, GateVerdict
from backbone_bench.records import FLAGS, Latencies, Latency, Memory, Missing, fingerprint, matching
from backbone_bench.records.quantities import QUANTITIES
from tests.gate.samples import HERE, NO_GRAPH, WIDER, counted, processes, timed

QUIET = (-0.002, 0.001, 0.0, 0.002, -0.001)
ONCE = GateRules(plan=RoundPlan(double=False, confirm=False))


def compared(base, head, rules=ONCE):
    """The findings on two files of records, by metric."""
    groups = matching.by_workload(head)
    sides = stored.Stored(Baseline(tuple(base)), lambda name, _count: groups[name])
    findings, remarks = gate(list(groups), sides.take, rules)
    return {found.metric: found for found in [*findings, *stored.missing(base, head)]}, remarks


def code(findings, fail_on=()):
    return GateReport("then", "now", tuple(findings.values()), fail_on=tuple(fail_on)).exit_code


def test_a_thing_against_itself_passes():
    base = processes(0.04, QUIET)
    findings, _ = compared(base, base)
    assert {found.verdict for found in findings.values()} == {GateVerdict.PASS}
    assert code(findings) == 0


def test_a_slower_and_wider_network_is_regressed_and_changed():
    head = [replace(record, cost=WIDER) for record in processes(0.044, QUIET)]
    findings, _ = compared(processes(0.04, QUIET), head)
    assert findings["wall_s"].verdict is GateVerdict.REGRESSED
    assert findings["wall_s"].head / findings["wall_s"].base == pytest.approx(findings["wall_s"].change.ratio)
    assert findings["flops"].verdict is GateVerdict.CHANGED
    assert code(findings) == 1


def test_one_process_a_side_is_for_information_unless_asked_for():
    findings, _ = compared([timed(0.04)], [timed(0.05)])
    assert findings["wall_s"].verdict is GateVerdict.INCONCLUSIVE
    assert findings["wall_s"].informal
    assert findings["wall_s"].change.low is None
    assert (code(findings), code(findings, {GateVerdict.INCONCLUSIVE})) == (0, 1)


def test_a_calibration_gives_one_process_a_side_a_verdict_that_fails_only_on_request():
    here = fingerprint.digest(timed(0.04).workload, HERE)
    rules = replace(ONCE, noise={(here, "wall_s"): Spread(0.01, 9)})
    findings, _ = compared([timed(0.04)], [timed(0.05)], rules)
    assert (findings["wall_s"].verdict, findings["wall_s"].change.source) == (GateVerdict.REGRESSED, "calibration")
    assert (code(findings), code(findings, {GateVerdict.REGRESSED})) == (0, 1)


@pytest.mark.parametrize(
    ("field", "value"), [("torch", "2.12.1"), ("cpu", "Another CPU 2"), ("cpu_capability", "AVX2")]
)
def test_another_machine_is_incomparable_and_the_field_is_named(field, value):
    elsewhere = replace(HERE, **{field: value})
    base = [replace(record, environment=elsewhere) for record in processes(0.04, QUIET)]
    findings, _ = compared(base, processes(0.08, QUIET))
    assert findings["measured"].verdict is GateVerdict.INCOMPARABLE
    assert findings["measured"].reason == f"{field}: {value}, now {getattr(HERE, field)}"
    assert "wall_s" not in findings
    assert code(findings) == 4


def test_counts_compare_whatever_the_machine():
    elsewhere = replace(counted(cost=WIDER), environment=replace(HERE, torch="2.12.1", cpu="Another CPU 2"))
    findings, remarks = compared([elsewhere], [counted()])
    assert findings["flops"].verdict is GateVerdict.CHANGED
    assert any("torch 2.12.1" in remark for remark in remarks)


def test_another_number_of_threads_is_incomparable_and_no_new_workload():
    base = [replace(r, workload=replace(r.workload, threads=2)) for r in processes(0.04, QUIET)]
    findings, _ = compared(base, processes(0.04, QUIET))
    assert findings["measured"].reason == "workload.threads: 2, now 1"
    assert findings["cost"].verdict is GateVerdict.PASS


def test_another_host_of_the_same_kind_is_compared_with_more_allowance():
    base = [replace(record, environment=replace(HERE, host="9c2e")) for record in processes(0.04, QUIET)]
    findings, remarks = compared(base, processes(0.0424, QUIET))
    assert findings["wall_s"].verdict is GateVerdict.PASS
    assert findings["wall_s"].threshold == pytest.approx(0.08)
    assert any("host" in remark for remark in remarks)


def test_a_busy_machine_is_told_of():
    busy = [replace(record, flags=("host_busy",)) for record in processes(0.04, QUIET)]
    _, remarks = compared(processes(0.04, QUIET), busy)
    assert f"Flags of the 10 processes: host_busy in 5. host_busy: {FLAGS['host_busy'].meaning}." in remarks


def test_what_only_one_side_has_is_new_or_missing():
    findings, _ = compared([counted("old")], [counted("fresh")])
    assert findings[""].verdict is GateVerdict.MISSING  # the later of the two
    assert code(findings) == 3


def test_a_quantity_that_can_no_longer_be_measured_is_missing():
    full = [replace(r, memory=Memory(900_000, 900_000, NO_GRAPH)) for r in processes(0.04, QUIET)]
    findings, _ = compared(full, processes(0.04, QUIET))
    assert findings["peak_allocated_bytes"].verdict is GateVerdict.MISSING
    assert code(findings) == 3


def test_what_was_not_asked_for_is_not_missing():
    findings, _ = compared(processes(0.04, QUIET), [counted()])
    assert [found.verdict for found in findings.values()] == [GateVerdict.PASS]


def test_a_first_measurement_is_new():
    findings, _ = compared([counted()], processes(0.04, QUIET)[:1])
    assert findings["wall_s"].verdict is GateVerdict.NEW
    assert code(findings) == 0


def test_a_quantity_that_is_taken_in_another_way_now_is_new_and_not_faster():
    """A device latency of eager events holds the time of the host too."""

    def with_device(seconds, method):
        for made in processes(seconds, QUIET):
            assert isinstance(made.latency, Latencies)
            assert isinstance(made.latency.wall, Latency)
            device = replace(made.latency.wall, method=method)
            yield replace(made, latency=replace(made.latency, device=device))

    head, filled = [*with_device(0.04, None)], [*with_device(0.02, "filled_queue")]
    assert compared(head, head)[0]["device_s"].verdict is GateVerdict.PASS
    found = compared(head, filled)[0]["device_s"]
    assert found.verdict is GateVerdict.NEW
    assert "taken in two ways, by filled_queue here and eager_events there" in found.reason


@pytest.mark.parametrize("exit_of_side", [2, 3])
def test_a_side_that_fails_costs_its_own_workload_only(exit_of_side):
    def take(name, _count):
        if name == "broken":
            raise Unpaired(GateVerdict.INVALID, "out of memory", exit_code=exit_of_side)
        return [BaseHead(timed(0.04), timed(0.04))]

    findings, _ = gate(["broken", "net"], take, ONCE)
    assert {found.subject: found.verdict for found in findings}["broken"] is GateVerdict.INVALID
    assert any(found.verdict is GateVerdict.PASS for found in findings)
    assert GateReport("then", "now", tuple(findings)).exit_code == exit_of_side


def test_what_could_not_be_measured_outranks_a_regression_and_that_what_is_incomparable():
    def report(*verdicts):
        return GateReport("then", "now", tuple(GateFinding("net", "wall_s", verdict) for verdict in verdicts))

    assert report(GateVerdict.REGRESSED, GateVerdict.INVALID, GateVerdict.INCOMPARABLE).exit_code == 3
    assert report(GateVerdict.REGRESSED, GateVerdict.INCOMPARABLE).exit_code == 1
    assert report(GateVerdict.INCOMPARABLE, GateVerdict.PASS).exit_code == 4
    assert report(GateVerdict.IMPROVED, GateVerdict.INCONCLUSIVE, GateVerdict.NEW, GateVerdict.PASS).exit_code == 0


def test_what_is_acknowledged_does_not_fail():
    findings, _ = compared([counted()], [counted(cost=WIDER)])
    report = GateReport("then", "now", tuple(findings.values()), acknowledged="wider on purpose")
    assert report.exit_code == 0


def test_a_missing_cost_is_no_pass():
    findings, _ = compared([counted()], [counted(cost=Missing("failed", "it crashed"))])
    assert findings["cost"].verdict is GateVerdict.MISSING


def test_a_workload_that_failed_is_not_run_again():
    counts = []

    def take(name, count):
        counts.append(count)
        if len(counts) > 1:
            raise Unpaired(GateVerdict.INVALID, "out of memory")
        return [BaseHead(*pair) for pair in zip(processes(0.04, QUIET), processes(0.05, QUIET), strict=True)]

    (found,) = gate(["net"], take, GateRules())[0]
    assert (found.verdict, len(counts)) == (
        GateVerdict.INVALID,
        2,
    )  # not a third time, to confirm what the first rounds found


def test_nothing_acknowledges_what_could_not_be_run():
    broken = GateFinding("net", "", GateVerdict.INVALID, reason="out of memory")
    assert GateReport("then", "now", (broken,), acknowledged="on purpose").exit_code == 3


def test_a_quantity_of_zero_is_one_that_nothing_measured():
    none = replace(timed(0.04), memory=Memory(0, 0, NO_GRAPH))
    assert isinstance(value(none, QUANTITIES["peak_allocated_bytes"]), Missing)
