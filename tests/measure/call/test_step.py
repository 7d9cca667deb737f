"""A step is the workload's call, in its data type, mode and device."""

from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import nn

from backbone_bench.base.errors import CouldNotMeasure, UserError
from backbone_bench.measure.call.step import prepared
from backbone_bench.records import Workload

WORKLOAD = Workload("tiny", {}, source="import", inputs=("2x3x8x8:float32",), batch=2)
IMAGE = torch.empty(2, 3, 8, 8, device="meta")


class Tiny(nn.Module):
    """A small model that records its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.seen: list[torch.Tensor] = []
        self.modes: list[tuple[bool, bool]] = []

    def forward(self, x, scale=None):
        self.seen.append(x)
        self.modes.append((self.training, torch.is_inference_mode_enabled()))
        out = self.norm(self.conv(x))
        return {"out": out if scale is None else out * scale}


class Plus(nn.Module):
    def forward(self, x):
        return x + 1


def once(model: nn.Module, workload: Workload, *args, **kwargs) -> Any:
    with prepared(model, args or (IMAGE,), kwargs, workload, "cpu") as step:
        return step()


def test_inputs_are_drawn_from_the_seed():
    draws = []
    for seed in (1, 1, 2):
        model = Tiny()
        once(model, replace(WORKLOAD, seed=seed))
        draws.append(model.seen[0])
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert float(draws[0].std()) == pytest.approx(1, abs=0.1)


def test_whole_numbers_and_truths_are_drawn_too_and_nesting_stays():
    seen = []

    class Nested(nn.Module):
        def forward(self, pair, mask):
            seen.append((pair, mask))

    meta = torch.device("meta")
    once(
        Nested(), WORKLOAD,
        (torch.empty(50, dtype=torch.int64, device=meta), [torch.empty(50, device=meta)]),
        mask=torch.empty(50, dtype=torch.bool, device=meta),
    )  # fmt: skip
    (numbers, [floats]), mask = seen[0]
    assert set(numbers.tolist()) == {0, 1}
    assert floats.dtype == torch.float32
    assert set(mask.tolist()) == {True, False}


def test_example_inputs_keep_their_values():
    model, image = Tiny(), torch.full((2, 3, 8, 8), 3.0)
    once(model, WORKLOAD, image)
    assert torch.equal(model.seen[0], image)


def test_eval_runs_in_inference_mode_and_train_does_not():
    model = Tiny()
    assert not once(model, WORKLOAD)["out"].requires_grad
    assert model.modes == [(False, True)]
    model = Tiny()
    once(model, replace(WORKLOAD, mode="train"))
    assert model.modes == [(True, False)]


def test_a_training_step_runs_backward_and_starts_each_time_without_gradients():
    model = Tiny()
    with prepared(model, (IMAGE,), {}, replace(WORKLOAD, mode="train"), "cpu") as step:
        step()
        first = model.conv.weight.grad
        step()
        second = model.conv.weight.grad
    assert first is not None
    assert second is not None
    assert first.abs().sum() > 0
    assert torch.allclose(first, second, rtol=1e-4)


@pytest.mark.parametrize(("precision", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_half_precision_converts_weights_and_inputs(precision, dtype):
    model = Tiny()
    out = once(model, replace(WORKLOAD, precision=precision))["out"]
    assert {model.seen[0].dtype, model.conv.weight.dtype, out.dtype} == {dtype}


def test_amp_keeps_weights_and_inputs_and_computes_in_half():
    model = Tiny()
    computed = []
    model.conv.register_forward_hook(lambda module, args, out: computed.append(out.dtype))
    once(model, replace(WORKLOAD, precision="amp"))
    assert {model.seen[0].dtype, model.conv.weight.dtype} == {torch.float32}
    assert computed == [torch.bfloat16]


def test_channels_last_moves_weights_and_images():
    model = Tiny()
    once(model, replace(WORKLOAD, memory_format="channels_last"))
    for tensor in (model.seen[0], model.conv.weight):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
        assert not tensor.is_contiguous()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_training_step_runs_its_optimizer_and_leaves_the_weights(optimizer, monkeypatch):
    stepped = []

    def noted(own):
        def step(self):
            stepped.append(type(self))
            return own(self)

        return step

    for kind in (torch.optim.SGD, torch.optim.AdamW):
        monkeypatch.setattr(kind, "step", noted(kind.step))
    model = Tiny()
    before = [parameter.clone() for parameter in model.parameters()]
    once(model, replace(WORKLOAD, mode="train", optimizer=optimizer))
    assert stepped == [{"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[optimizer]]
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_step_without_anything_to_train_is_refused():
    with pytest.raises(UserError, match="There is nothing to train"):
        once(Plus(), replace(WORKLOAD, mode="train"))


@pytest.mark.slow
def test_a_compiled_step_computes_the_same():
    image = torch.ones(2, 3, 8, 8)
    assert torch.equal(once(Plus(), replace(WORKLOAD, compile="default"), image), image + 1)


def test_a_misspelt_compile_mode_is_guessed():
    with pytest.raises(UserError, match="Did you mean 'max-autotune'"):
        once(Tiny(), replace(WORKLOAD, compile="max-autotun"))


def test_an_exported_program_keeps_its_mode():
    program = torch.export.export(Plus(), (torch.ones(2),)).module()
    other: Literal["eval", "train"] = "eval" if program.training else "train"
    with pytest.raises(UserError, match="export it in the other mode"):
        once(program, replace(WORKLOAD, mode=other), torch.ones(2))


# What a device cannot do.


class Raises(nn.Module):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.\nadvice"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        RuntimeError("CUDA error: out of memory\nadvice"),  # from the driver, not from torch's allocator
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_a_batch_that_does_not_fit_is_told_in_one_line_and_not_made_smaller(error):
    with pytest.raises(CouldNotMeasure, match=r"tiny: batch 2 does not fit on cpu.*--batch-size") as raised:
        once(Raises(error), WORKLOAD)
    assert raised.value.exit_code == 3
    assert "\n" not in str(raised.value)


def test_an_operation_that_the_device_lacks_is_told():
    error = RuntimeError("\"foo_cpu\" not implemented for 'Half'")
    with pytest.raises(CouldNotMeasure, match='tiny cannot run in fp16 on cpu: "foo_cpu" not implemented'):
        once(Raises(error), replace(WORKLOAD, precision="fp16"))


def test_an_error_of_the_model_itself_stays_what_it_is():
    with pytest.raises(RuntimeError, match="the model's own"):
        once(Raises(RuntimeError("the model's own")), WORKLOAD)
    with pytest.raises(KeyError):
        once(Raises(KeyError("x")), WORKLOAD)
