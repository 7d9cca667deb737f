"""The pass under torch's profiler, on the CPU for real."""

import json

import pytest
import torch
from torch import nn

from backbone_bench.base import forwards
from backbone_bench.measure.devices.cpu import Host
from backbone_bench.measure.layers import meter
from backbone_bench.measure.layers.kineto import _activity
from backbone_bench.measure.protocols import Unavailable


class HeavyAndTiny(nn.Module):
    """One heavy convolution, fifty tiny ones, and a copy of many bytes."""

    target: torch.Tensor
    source: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.heavy = nn.Conv2d(64, 64, 3, padding=1)
        self.tiny = nn.ModuleList(nn.Conv2d(1, 1, 1) for _ in range(50))
        self.register_buffer("target", torch.zeros(1 << 22))
        self.register_buffer("source", torch.ones(1 << 22))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.heavy(x)
        z = x[:, :1, :1, :1]
        for one in self.tiny:
            z = one(z)
        self.target.copy_(self.source)
        return y + z


@pytest.fixture(scope="module")
def timed():
    model, x = HeavyAndTiny().eval(), torch.randn(1, 64, 112, 112)
    with torch.inference_mode():
        return meter.measure(lambda: model(x), model, Host())


def test_the_heavy_convolution_takes_most_of_the_time(timed):
    first = max(timed.rows, key=lambda row: row.time_s)
    assert (first.module, first.op, first.form) == ("heavy", "convolution", "3x3")


def test_every_tiny_convolution_has_a_row_and_all_take_less_than_the_heavy_one(timed):
    tiny = [row for row in timed.rows if row.module.startswith("tiny.")]
    assert [row.launches for row in tiny] == [1] * 50
    assert sum(row.time_s for row in tiny) < next(row.time_s for row in timed.rows if row.module == "heavy")


def test_what_the_model_does_itself_is_its_own(timed):
    own = {row.op: row.time_s for row in timed.rows if not row.module}
    assert own.keys() >= {"copy", "add"}
    assert own["copy"] > 10 * own["slice"]


def test_three_calls_of_a_module_are_three_launches():
    model, x = nn.ReLU(), torch.randn(4)
    rows = meter.measure(lambda: (model(x), model(x), model(x)), model, Host()).rows
    assert [(row.module, row.op, row.launches) for row in rows] == [("", "relu", 3)]


def test_the_model_is_left_as_it_was(timed):
    model = HeavyAndTiny().eval()
    before = [dict(vars(module)) for module in model.modules()]
    meter.measure(lambda: model(torch.randn(1, 64, 8, 8)), model, Host())
    assert [dict(vars(module)) for module in model.modules()] == before


def test_a_failing_call_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 1))
    with pytest.raises(RuntimeError), forwards.wrapped([*model.named_modules()], meter._named):
        model(torch.randn(1, 2, 3, 3))
    assert not any("forward" in vars(module) for module in model.modules())


def test_without_a_model_all_belongs_to_the_model_itself():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    timed = meter.measure(lambda: model(torch.randn(1, 3, 8, 8)), None, Host())
    assert {row.module for row in timed.rows} == {""}


def test_a_training_step_has_its_backward_pass_by_module():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1))

    def step():
        model(torch.randn(2, 3, 16, 16)).sum().backward()

    rows = {(row.module, row.op) for row in meter.measure(step, model, Host()).rows}
    assert rows >= {("0", "convolution_backward"), ("1", "threshold_backward"), ("2", "convolution_backward")}


@pytest.mark.parametrize(
    ("kernel", "groups", "words"),
    [((3, 3), 1, "3x3"), ((1, 7), 1, "1x7"), ((3, 3), 4, "3x3 grouped"), ((5, 5), 8, "5x5 depthwise")],
)
def test_the_kernel_of_a_convolution_is_told(kernel, groups, words):
    assert meter.form(nn.Conv2d(8, 8, kernel, groups=groups)) == words


def test_the_trace_is_the_json_that_perfetto_reads(tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 4, 1))
    meter.measure(lambda: model(torch.randn(1, 3, 8, 8)), model, Host(), tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    whole = [event for event in events if event["ph"] == "X"]  # complete events, as the Trace Event Format defines them
    assert all({"name", "ts", "dur", "pid", "tid"} <= event.keys() for event in whole)
    assert {"aten::conv2d", "bench:0"} <= {event["name"] for event in whole}


def test_a_device_whose_kernels_torch_cannot_time_is_told():
    device = Host()
    device.name = "mps"
    with pytest.raises(Unavailable, match="cannot time the kernels of mps"):
        _activity(device)
