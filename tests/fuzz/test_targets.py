"""Any input is read or refused in one line. These are short runs; `make fuzz` searches as long as you like."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import __main__ as fuzz
from tests.fuzz.targets import TARGETS, refusal

FEW = settings(max_examples=10)  # slow ones


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_repository_publishes_is_understood(name):
    target = TARGETS[name]
    for seed in target.seeds()[:: 1 + len(target.seeds()) // 4]:
        assert refusal(target.read, seed) == ""


@pytest.mark.parametrize("name", TARGETS)
@FEW
@given(st.randoms(use_true_random=False))
def test_what_is_nearly_right_is_understood_or_refused_in_one_line(name: str, chance: random.Random):
    target = TARGETS[name]
    refusal(target.read, target.nearly(chance.choice(target.seeds()), chance))


@pytest.mark.parametrize("name", TARGETS)
@FEW
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_understood_or_refused_in_one_line(name: str, text: bytes):
    refusal(TARGETS[name].read, text)


SPLIT = ("claim", 0, "check", 0)
# Past findings, each once a traceback: the target, the place in its first seed, and the value put there.
FOUND = [
    ("page", (0, "workload", "batch"), 0),
    ("page", (0, "cost", "by_op", 0, "access_elems"), -(10**12)),
    ("page", (0, "cost", "by_op", 0, "flops"), 10**400),
    ("tables", (0, "latency", "wall", "samples_s"), [5e-324]),
    ("tables", (0, "latency", "wall", "samples_s"), [1.7e308] * 30),
    ("tables", (0, "workload", "inputs"), []),
    ("tables", (0, "workload", "inputs"), ["1x3x224"]),
    ("measured", (0, "workload", "batch"), 0),
    ("measured", (0, "latency", "wall", "samples_s"), [0.0]),
    ("measured", (0, "latency", "wall", "samples_s"), [*[0.01] * 20, *[9.0] * 4]),
    ("measured", (0, "workload", "inputs"), ["1x3x224x320:float32"]),
    ("measured", (0, "workload", "inputs"), ["1x3x100000x100000:float32"]),
    ("baseline", ("records",), []),
    ("baseline", ("gate", "calibrations", 0, "rounds"), 10**9),
    ("baseline", ("gate", "calibrations", 0, "deviation"), 1e308),
    ("claims", (*SPLIT, "aside"), True),
    ("claims", (*SPLIT, "kind"), "co\nunt"),
    ("claims", (*SPLIT, "of"), "two\nlines"),
    ("claims", ("year",), int("9" * 4000)),
    ("settings", ("lock-clocks",), 1.7e308),
    ("settings", ("arg",), ["two\nlines"]),
]


@pytest.mark.parametrize(("name", "place", "value"), FOUND)
def test_what_was_found_once_is_refused_in_one_line_or_understood(name, place, value):
    target = TARGETS[name]
    document = target.form.read(target.seeds()[0])
    inside = document
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    refusal(target.read, target.form.write(document))


def test_a_number_of_more_digits_than_python_reads_is_refused():
    for name, text in (("claims", b"year = 9%b"), ("settings", b"seed = 9%b"), ("records", b'{"a": 9%b}\n{}')):
        assert "digits" in refusal(TARGETS[name].read, text % (b"9" * 5000))


DOTS = b".a" * 1500


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("claims", b"a%b = 1" % DOTS),
        ("claims", b"[a%b]" % DOTS),
        ("claims", b"year = 0x%b" % (b"9" * 9000)),
        ("settings", b"seed%b = 1" % DOTS),
        ("settings", b"seed = 0x%b" % (b"9" * 9000)),
        ("settings", b"arg = [0x%b]" % (b"9" * 9000)),
    ],
)
def test_what_toml_can_say_and_nobody_can_write_down_is_refused(name, text):
    assert refusal(TARGETS[name].read, text)


def test_no_depth_of_nesting_is_too_much():
    for depth in range(880, 1000):  # Python reads deeper nesting than it writes
        line = f'{{"schema_version": "1", "flags": {"[" * depth}{"]" * depth}}}\n{{}}'
        assert refusal(TARGETS["records"].read, line.encode())


def test_the_figures_of_a_run_are_read_from_its_log():
    log = "#64 NEW cov: 12 ft: 20\nDone 99 runs in 3 second(s)\nstat::number_of_executed_units: 99"
    assert fuzz.read(log, 0) == (99, 12, 3, "")
    broken = "#64\tNEW cov: 12 ft: 20\n\n === Uncaught Python exception: ===\nZeroDivisionError: division by zero\n"
    assert fuzz.read(broken, 77) == (64, 12, 0, "ZeroDivisionError: division by zero")
    with pytest.raises(ValueError, match="did not run"):
        fuzz.read("No module named atheris", 1)


def test_what_costs_nothing_has_a_ratio_to_what_does():
    target = TARGETS["tables"]
    first, second = (target.form.read(target.seeds()[number])[0] for number in (0, 1))
    second["workload"] = {**first["workload"], "model": "nothing"}
    second["cost"]["by_op"] = []
    second["environment"] = first["environment"]
    assert refusal(target.read, target.form.write([first, second])) == ""
