"""Devices by name, on simulated machines."""

import pytest
import torch

from backbone_bench.base.errors import UserError
from backbone_bench.measure.devices import available
from backbone_bench.measure.devices.available import TorchBuild, parse
from backbone_bench.measure.devices.cpu import Host

CPU_BUILD = TorchBuild("2.13.0+cpu", None, 0)
TWO_CARDS = TorchBuild("2.13.0+cu128", "cuda", 2, "CUDA 12.8")
NO_DRIVER = TorchBuild("2.13.0+cu128", "cuda", 0, "CUDA 12.8", "Found no NVIDIA driver on your system")
OLD_DRIVER = TorchBuild(
    "2.13.0+cu128", "cuda", 0, "CUDA 12.8", "The NVIDIA driver on your system is too old (found version 12020)"
)
INTEL = TorchBuild("2.13.0+xpu", "xpu", 1, "xpu")
OUT_OF_TREE = TorchBuild("2.13.0", "npu", 1, "npu")


def refusal(name: str, here: TorchBuild) -> str:
    with pytest.raises(UserError) as raised:
        parse(name, here)
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "here", "device"),
    [
        ("auto", CPU_BUILD, ("cpu", 0)),
        ("auto", NO_DRIVER, ("cpu", 0)),
        ("auto", TWO_CARDS, ("cuda", 0)),
        ("auto", INTEL, ("xpu", 0)),
        ("cpu", TWO_CARDS, ("cpu", 0)),
        ("cuda", TWO_CARDS, ("cuda", 0)),
        ("cuda:1", TWO_CARDS, ("cuda", 1)),
        ("xpu:0", INTEL, ("xpu", 0)),
    ],
)
def test_a_name_is_a_device_that_is_here(name, here, device):
    assert parse(name, here) == device


def test_a_cpu_build_says_that_it_is_one_and_what_to_do():
    message = refusal("cuda", CPU_BUILD)
    assert message.startswith("No CUDA device: this torch is a CPU build (2.13.0+cpu).")
    assert "pytorch.org" in message
    assert "--device cpu" in message
    assert "bench count" in message


@pytest.mark.parametrize(
    ("here", "words"),
    [(NO_DRIVER, "Found no NVIDIA driver"), (OLD_DRIVER, "too old (found version 12020)"), (OLD_DRIVER, "CUDA 12.8")],
)
def test_a_missing_driver_is_told_in_its_own_words_beside_what_torch_was_built_for(here, words):
    assert words in refusal("cuda:0", here)


def test_another_accelerator_is_named():
    assert "built for CUDA 12.8" in refusal("xpu", TWO_CARDS)


def test_an_index_beyond_the_last_names_those_that_are_here():
    assert refusal("cuda:2", TWO_CARDS) == "No device cuda:2: this machine has cuda:0 to cuda:1."
    assert "has xpu:0." in refusal("xpu:3", INTEL)


@pytest.mark.parametrize(
    "name", ["gpu", "CUDA", "cuda:x", "cuda:-1", "auto:1", "meta", "", "cuda:0:1", "cuda:" + "9" * 5000]
)
def test_what_is_no_device_is_told(name):
    assert refusal(name, TWO_CARDS).startswith(f"{name!r} is not a device. ")


def test_a_misspelt_device_is_guessed():
    assert "Did you mean 'cuda'" in refusal("cudaa", TWO_CARDS)


def test_one_cpu_is_all_there_is():
    assert "--threads" in refusal("cpu:1", CPU_BUILD)


def test_an_accelerator_that_registers_itself_is_known_by_its_own_name(monkeypatch):
    def device(kind: str) -> object:
        return type("Device", (), {"type": kind})()

    monkeypatch.setattr(torch, "device", device)
    assert parse("npu", OUT_OF_TREE) == ("npu", 0)


def test_torch_is_asked_without_a_warning_reaching_anyone(recwarn):
    here = available.probe()
    assert here.version == torch.__version__
    assert (here.devices > 0) == torch.accelerator.is_available()
    assert not recwarn.list


def test_the_cpu_is_always_there():
    assert isinstance(available.resolve("cpu"), Host)
