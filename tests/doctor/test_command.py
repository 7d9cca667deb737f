"""`bench doctor` on the command line."""

import json

import pytest
from typer.testing import CliRunner

from backbone_bench import doctor
from backbone_bench.base.errors import CouldNotMeasure
from backbone_bench.cli.app import app
from backbone_bench.doctor import DoctorLine, host


def test_this_machine_is_examined_and_its_cpu_can_be_timed():
    result = CliRunner().invoke(app, ["doctor", "--format", "json"])
    assert result.exit_code == 0, result.output
    topics = [line["topic"] for line in json.loads(result.stdout)]
    assert {"versions", "CPU", host.TIMING, "memory", "accelerator"} <= set(topics)


def test_a_machine_whose_cpu_cannot_be_timed_ends_with_three_and_still_prints(monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: (DoctorLine(host.TIMING, "missing", "broken"),))
    result = CliRunner().invoke(app, ["doctor"])
    assert isinstance(result.exception, CouldNotMeasure)
    assert result.exception.exit_code == 3
    assert "broken" in result.stdout


@pytest.mark.parametrize(("grade", "enough"), [("good", True), ("weak", True), ("missing", False)])
def test_only_the_line_on_the_cpus_timing_decides(grade, enough):
    lines = (DoctorLine("cuda:0 NVML", "missing", "gone"), DoctorLine(host.TIMING, grade, "clock"))
    assert doctor.can_measure(lines) == enough
