"""Models with a thousand modules within one another: counted where Python can run them, else refused in one line."""

import json
import sys

import pytest

NESTED = """
import torch
from torch import nn

def nested(depth: int):
    model = nn.Conv2d(3, 3, 1)
    for _ in range(depth):
        model = nn.Sequential(model)
    return model

class OfTree(nn.Module):
    def __init__(self, depth: int):
        super().__init__()
        self.conv, self.depth = nn.Conv2d(3, 3, 1), depth

    def forward(self, x):
        while isinstance(x, tuple):
            (x,) = x
        x = self.conv(x)
        for _ in range(3000):
            x = (x,)
        return x

    def example_inputs(self):
        x = torch.zeros(1, 3, 8, 8)
        for _ in range(self.depth):
            x = (x,)
        return x

class Cycle(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.itself = self

class Endless(nn.Module):
    def forward(self, x):
        return self.again(x)

    def again(self, x):
        return self.forward(x)
"""
FLOPS = 64 * 3 * 3
# From 3.12 on Python also limits calls that pass through C, as each module's does, and no program can raise that limit.
CAN_GO_DEEP = sys.version_info < (3, 12)
SHAPE = ("--input", "3x8x8")


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NESTED)
    return path


@pytest.mark.parametrize("depth", [400, pytest.param(1500, marks=pytest.mark.skipif(not CAN_GO_DEEP, reason="Python"))])
def test_a_deep_model_is_counted_shown_and_compared(bench, net, tmp_path, depth):
    model, page, base = (f"{net}:nested", "--arg", f"depth={depth}", *SHAPE), tmp_path / "o.html", tmp_path / "b.json"
    limit = sys.getrecursionlimit()
    shown = bench("count", *model, "-f", "json", "--layers", "-o", str(page))
    assert shown.code == 0, shown.err
    (record,) = json.loads(shown.out)["records"]
    assert record["cost"]["flops"] == FLOPS
    assert page.exists()
    assert bench("gate", "--exact", "--update-baseline", "--baseline", str(base), "--", *model).code == 0
    assert "pass" in bench("gate", "--exact", "--baseline", str(base), "--", *model).out
    assert sys.getrecursionlimit() == limit


@pytest.mark.skipif(not CAN_GO_DEEP, reason="Python")
def test_a_deep_model_is_run(bench, net):
    words = ("-d", "cpu", "--quick", "--budget", "0.5", "--no-energy")
    shown = bench("run", f"{net}:nested", "--arg", "depth=1200", *SHAPE, *words, "-f", "json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)["records"][0]["latency"]["wall"]["median_s"] > 0


TOO_DEEP = {
    "has 2001 modules within one another, and at most 2000": ("{net}:nested", "--arg", "depth=2001", *SHAPE),
    "The example inputs are nested more than 100 deep": ("{net}:OfTree", "--arg", "depth=3000"),
    "is nested too deep for Python": ("{net}:Cycle", *SHAPE),
}


@pytest.mark.parametrize("told", TOO_DEEP)
@pytest.mark.parametrize("command", ["count", "run", "gate"])
def test_one_that_is_too_deep_is_refused_in_one_line(bench, net, tmp_path, command, told):
    model = [word.format(net=net) for word in TOO_DEEP[told]]
    before = {
        "count": ("count",),
        "run": ("run", "-d", "cpu", "--quick", "-q"),
        "gate": ("gate", "--exact", "--update-baseline", "--baseline", str(tmp_path / "b.json"), "--"),
    }[command]
    shown = bench(*before, *model)
    assert shown.code == 2, shown
    assert told in shown.err + shown.out
    assert "Traceback" not in shown.err


def test_deep_outputs_are_no_matter(bench, net):
    shown = bench("count", f"{net}:OfTree", "--arg", "depth=0", "-f", "json")
    assert json.loads(shown.out)["records"][0]["cost"]["flops"] == FLOPS


def test_endless_recursion_of_a_model_is_told_with_few_frames(bench, net):
    shown = bench("count", f"{net}:Endless", *SHAPE)
    assert shown.code == 2
    assert "recursion" in shown.err
    assert len(shown.err.splitlines()) < 80
