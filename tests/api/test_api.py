"""The Python API: a call gives the same record as the command, and never modifies the model."""

import copy
import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn

import backbone_bench
from backbone_bench import Missing, UserError
from backbone_bench.measure.devices import available, guest
from backbone_bench.profiler import layers
from backbone_bench.records import store


class Net(nn.Module):
    """A model with everything that a measurement could modify: weights, running statistics, dropout, its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()

    def forward(self, image: torch.Tensor, scale: torch.Tensor | None = None) -> torch.Tensor:
        image.mul_(1.5)
        found: torch.Tensor = self.drop(self.norm(self.conv(image)))
        return found if scale is None else found * scale


def tiny(model: Any, inputs: Any = None, **keywords: Any) -> backbone_bench.Record:
    return backbone_bench.profile(model, inputs, budget_s=0.2, energy="off", threads=1, **keywords)


def test_a_call_says_what_the_command_says(bench):
    output = json.loads(bench("count", "resnet18", "--input-size", "64", "-b", "2", "-f", "json").out)["records"][0]
    made = json.loads(store.dump_line(backbone_bench.count("resnet18", "3x64x64", batch=2)))
    assert (made["workload"], made["cost"]) == (output["workload"], output["cost"])


@pytest.mark.parametrize("setting", [{}, {"precision": "bf16"}, {"train": True}, {"channels_last": True}], ids=str)
def test_a_model_that_is_handed_over_stays_as_it_is(setting):
    net = Net().double().float()
    net.norm.eval()  # one submodule in eval mode inside a model in training mode
    before = copy.deepcopy(net.state_dict())
    image, random = torch.ones(2, 3, 8, 8), torch.get_rng_state()
    record = tiny(net, image, **setting)
    assert record.workload.inputs == ("2x3x8x8:bfloat16" if setting.get("precision") else "2x3x8x8:float32",)
    assert [module.training for module in net.modules()] == [True, True, False, True]
    assert torch.equal(image, torch.ones(2, 3, 8, 8))
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(value.dtype == before[name].dtype for name, value in net.state_dict().items())
    assert net.conv.weight.is_contiguous()
    assert net.conv.weight.grad is None


@pytest.mark.parametrize("setting", [{}, {"train": True}, {"precision": "bf16"}], ids=str)
def test_times_by_layer_change_neither_the_counts_nor_the_model(setting, monkeypatch):
    monkeypatch.setattr(layers, "_BUDGET_S", 0.1)
    monkeypatch.setattr(layers, "_HOST_SIZE", 64)
    monkeypatch.setattr(layers, "_copy_size", lambda device: 64)
    net, image = Net(), torch.ones(2, 3, 8, 8)
    before = [dict(vars(module)) for module in net.modules()]
    with_times, without = tiny(net, image, layers=True, **setting), tiny(net, image, **setting)
    assert with_times.cost == without.cost
    assert [dict(vars(module)) for module in net.modules()] == before
    times = with_times.layer_times
    assert isinstance(times, backbone_bench.records.LayerTimes)
    assert {"conv", "norm"} <= {row.module for row in times.rows}
    assert isinstance(times.ceilings, backbone_bench.records.Ceilings)
    assert without.layer_times is None


def test_its_record_is_valid_says_where_it_comes_from_and_is_read_back(tmp_path):
    record = tiny(Net(), (3, 8, 8), batch=2, name="mine")
    assert (record.workload.model, record.workload.source) == ("object:mine", "object")
    assert not isinstance(record.latency, Missing)
    jsonschema.validate(json.loads(store.dump_line(record)), store.schema())
    for file in (tmp_path / "run.json", tmp_path / "run.jsonl"):
        backbone_bench.save([record], file)
        assert backbone_bench.load(file) == (record,)


def test_nobody_but_its_program_can_run_it_again(bench, tmp_path):
    backbone_bench.save([tiny(Net(), "3x8x8", latency=False)], tmp_path / "run.json")
    output = bench("rerun", tmp_path / "run.json", "--trust")
    assert output.code == 2
    assert output.err == "bench: object:Net was passed in by a Python program: only that program can run it again.\n"


@pytest.mark.parametrize(
    ("inputs", "shapes"),
    [
        ("3x8x8", ("1x3x8x8:float32",)),
        ("3x8x8 scale=6x6", ("1x3x8x8:float32", "1x6x6:float32")),
        ((3, 8, 8), ("1x3x8x8:float32",)),
        (torch.ones(2, 3, 8, 8), ("2x3x8x8:float32",)),
        ((torch.ones(2, 3, 8, 8), torch.ones(1)), ("2x3x8x8:float32", "1:float32")),
        ({"image": torch.ones(2, 3, 8, 8)}, ("image=2x3x8x8:float32",)),
    ],
    ids=["text", "texts", "sizes", "tensor", "tuple", "keywords"],
)
def test_inputs_are_shapes_or_tensors(inputs, shapes):
    workload = backbone_bench.count(Net(), inputs).workload
    assert tuple(text.removeprefix("scale=") for text in workload.inputs) == shapes
    assert workload.batch == int(shapes[0].removeprefix("image=")[0])


class Uncopied(nn.Identity):
    def __deepcopy__(self, memo: object) -> nn.Module:
        raise TypeError("cannot pickle a lock")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tiny("resnet5"), "Did you mean"),
        (lambda: tiny("resnet18", precision="fp8"), "profile(): precision is 'fp8' and should be"),
        (lambda: tiny("resnet18", precision="fp16,fp32"), "profile(): precision is 'fp16,fp32'"),
        (lambda: tiny(Net, "3x8x8"), "the model must be a name or a torch.nn.Module"),
        (lambda: tiny(Net()), "object:Net does not say what it takes"),
        (lambda: tiny(Net(), "3x8"), "object:Net called with 1x3x8:float32 failed"),
        (lambda: tiny(Net(), torch.ones(1, 3, 8, 8), batch=4), "have a batch of 1, not 4"),
        (lambda: tiny(Net(), "3x8x8", arguments={"width": 4}), "this nn.Module is built already"),
        (lambda: tiny("resnet18", "3x32x32", name="mine"), "this model has a name already"),
        (lambda: tiny(Uncopied(), "3x8x8"), "object:Uncopied cannot be copied"),
        (lambda: tiny(torch.compile(Net(), backend="eager"), "3x8x8"), "pass the model itself and compile='default'"),
        (lambda: backbone_bench.check("resnet50"), "No figure to check"),
        (lambda: backbone_bench.check("resnet50", flops="much"), "'much' is not a figure"),
        (lambda: backbone_bench.load("nowhere.json"), "Cannot read nowhere.json"),
        (lambda: backbone_bench.save([], "page.html"), "should end in .json or .jsonl"),
    ],
)  # fmt: skip
def test_what_the_caller_can_put_right_is_one_error(call, words):
    with pytest.raises(UserError) as error:
        call()
    assert words in str(error.value)


def test_figures_hold_have_a_cause_or_fail():
    verdicts = backbone_bench.check("resnet50", flops="8.2G", params="25.6M", access=1)
    assert {metric: str(finding.verdict) for metric, finding in verdicts.items()} == {
        "flops": "explained", "params": "holds", "access": "fails",
    }  # fmt: skip
    assert "counted as two" in verdicts["flops"].reason


def test_a_model_that_is_handed_over_is_checked_at_its_inputs():
    (found,) = backbone_bench.check(nn.Conv2d(3, 4, 3, bias=False), (3, 8, 8), flops=4 * 6 * 6 * 27).values()
    assert found.verdict == "holds"


def test_a_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'proflie'"):
        backbone_bench.proflie  # type: ignore[attr-defined]  # noqa: B018


def test_records_are_read_without_torch(tmp_path):
    backbone_bench.save([], tmp_path / "none.jsonl")
    code = "import sys, backbone_bench as b; b.load('none.jsonl'); print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "False"


def test_a_device_of_others_is_theirs_again(monkeypatch):
    """Scripted calls of torch, so the test needs no accelerator."""
    chosen: list[int] = []
    monkeypatch.setattr(available, "probe", lambda: available.TorchBuild("2", "cuda", 2))
    monkeypatch.setattr(torch.accelerator, "current_device_index", lambda: 1)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 0)
    monkeypatch.setattr(torch.accelerator, "memory_stats", lambda: {})
    monkeypatch.setattr(torch.accelerator, "memory_allocated", lambda index: 4096)
    monkeypatch.setattr(torch.accelerator, "set_device_index", chosen.append)
    with guest.as_found("cuda:0") as shared:
        assert shared
    assert chosen == [1]
