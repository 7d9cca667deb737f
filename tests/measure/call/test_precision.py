"""Torch computes in the requested precision, and all its switches are restored afterwards."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from backbone_bench import profiler
from backbone_bench.base.errors import UserError
from backbone_bench.base.torch_versions import default_device
from backbone_bench.jobs.job import Job
from backbone_bench.measure.call import precision
from backbone_bench.records import Workload

WORKLOAD = Workload("resnet18", {}, source="zoo", inputs=("1x3x64x64:float32",), batch=1)
BACKENDS: Any = torch.backends  # torch's stubs leave much of it out
PLACES = [("cudnn", "conv"), ("cudnn", "rnn"), ("cuda", "matmul"), ("mkldnn", "conv"), ("mkldnn", "matmul")]


def older(read):
    """A setting of torch's older interface, which refuses to answer once the newer one has been used alone."""
    try:
        return read()
    except RuntimeError:
        return "refused"


def switches():
    newer = {place: getattr(getattr(torch.backends, place[0]), place[1]).fp32_precision for place in PLACES}
    return (
        newer,
        (BACKENDS.fp32_precision, BACKENDS.cudnn.fp32_precision),
        older(torch.get_float32_matmul_precision),
        older(lambda: torch.backends.cudnn.allow_tf32),
        torch.backends.cudnn.benchmark,
        torch.get_num_threads(),
    )


@pytest.fixture(autouse=True)
def as_it_was():
    """Restore the switches: these tests change them."""
    newer, (everywhere, _), matmul, allow, benchmark, threads = switches()
    yield
    BACKENDS.fp32_precision = everywhere
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = allow
    torch.backends.cudnn.benchmark = benchmark
    torch.set_num_threads(threads)
    for (library, operation), value in newer.items():
        getattr(getattr(torch.backends, library), operation).fp32_precision = value


@pytest.fixture
def card(monkeypatch):
    """A simulated NVIDIA GPU of any compute capability."""

    def of(capability):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.version, "hip", None)
        monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)

    return of


def nothing_set() -> None: ...


def older_interface() -> None:
    torch.set_float32_matmul_precision("high")


def newer_interface() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    BACKENDS.cudnn.conv.fp32_precision = "ieee"
    BACKENDS.mkldnn.conv.fp32_precision = "bf16"


def for_everything() -> None:
    BACKENDS.fp32_precision = "tf32"


BEFORE = [nothing_set, older_interface, newer_interface, for_everything]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("requested", ["fp32", "amp", "bf16"])
def test_all_switches_are_put_back(before, requested):
    before()
    expected = switches()
    with precision.applied(replace(WORKLOAD, precision=requested, threads=2), "cpu"):
        pass
    assert switches() == expected


def test_all_switches_are_put_back_after_an_error():
    expected = switches()
    with pytest.raises(ZeroDivisionError), precision.applied(replace(WORKLOAD, threads=2), "cpu"):
        raise ZeroDivisionError
    assert switches() == expected


def test_what_an_operation_inherits_it_still_inherits_afterwards():
    for_everything()
    with precision.applied(WORKLOAD, "cpu"):
        pass
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    BACKENDS.fp32_precision = "none"
    assert torch.backends.cuda.matmul.fp32_precision == "none"


@pytest.mark.parametrize("before", BEFORE)
def test_fp32_is_ieee_for_convolutions_and_matrix_products_whatever_was_set_before(before):
    before()
    with precision.applied(WORKLOAD, "cpu") as found:
        assert (found.conv_fp32, found.matmul_fp32) == ("ieee", "ieee")
        cuda = precision.read("cuda:0")
    assert (cuda.conv_fp32, cuda.matmul_fp32) == ("ieee", "ieee")


@pytest.mark.parametrize(("capability", "conv_fp32"), [((7, 5), "ieee"), ((8, 0), "tf32"), ((12, 0), "tf32")])
def test_torchs_own_default_is_told_for_what_it_comes_to_on_the_card(card, capability, conv_fp32):
    card(capability)
    found = precision.read("cuda:0")
    assert (found.conv_fp32, found.matmul_fp32) == (conv_fp32, "ieee")


def test_where_the_libraries_are_forbidden_tf32_nothing_is_said_to_be_tf32(card, monkeypatch):
    card((9, 0))
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert precision.read("cuda:0").conv_fp32 == "ieee"


def test_tf32_is_both_and_leaves_torchs_two_interfaces_in_step(card):
    card((8, 0))
    with precision.applied(replace(WORKLOAD, precision="tf32"), "cuda:0") as found:
        assert (found.conv_fp32, found.matmul_fp32) == ("tf32", "tf32")
        assert torch.get_float32_matmul_precision() == "high"  # the compiler calls it; raises if the interfaces differ
        assert torch.backends.cuda.matmul.allow_tf32


def test_a_search_for_the_fastest_convolution_is_on_where_there_is_cudnn_and_recorded():
    with precision.applied(WORKLOAD, "cuda:0") as cuda:
        assert torch.backends.cudnn.benchmark
    assert cuda.cudnn_benchmark is True
    with precision.applied(WORKLOAD, "cpu") as cpu:
        assert cpu.cudnn_benchmark is None


def test_threads_are_those_asked_for():
    with precision.applied(replace(WORKLOAD, threads=2), "cpu") as found:
        assert found.threads == torch.get_num_threads() == 2


def test_amp_says_in_which_type_it_computes():
    with precision.applied(replace(WORKLOAD, precision="amp"), "cpu") as found:
        assert found.autocast == "bfloat16"
    with precision.applied(WORKLOAD, "cpu") as found:
        assert found.autocast is None


@pytest.mark.parametrize(
    ("device", "override", "message"),
    [
        ("cpu", "1", "cpu has no TF32"),
        ("cuda:0", "1", "cuda:0 has no TF32"),
        ("cuda:1", "0", "TF32_OVERRIDE=0 forbids"),
    ],
)
def test_tf32_where_there_is_none_is_refused_with_what_to_use(card, monkeypatch, device, override, message):
    card((8, 6) if device == "cuda:1" else (7, 5))
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    with (
        pytest.raises(UserError, match=f"{message}.*--precision fp32"),
        precision.applied(replace(WORKLOAD, precision="tf32"), device),
    ):
        pass


def test_what_a_model_sets_for_the_whole_of_torch_is_put_back():
    def global_state():
        return (
            torch.get_default_dtype(),
            default_device(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            len(torch.overrides._get_current_function_mode_stack()),
        )

    before = global_state()
    with precision.untouched():
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        torch.use_deterministic_algorithms(True)
    assert global_state() == before
    assert torch.empty(1).device.type == "cpu"


SWITCHES = """import torch

torch.set_float32_matmul_precision("medium")
torch.backends.mkldnn.conv.fp32_precision = "bf16"
torch.use_deterministic_algorithms(True)


def net():
    return torch.nn.Conv2d(3, 4, 3)
"""


def test_switches_that_a_model_turns_are_turned_back_before_it_is_measured_and_what_is_its_to_choose_is_told(
    tmp_path, monkeypatch
):
    (tmp_path / "turns.py").write_text(SWITCHES)
    monkeypatch.chdir(tmp_path)
    job = Job("turns.py:net", {}, inputs=("3x8x8",), device="cpu", latency=False, energy="off")
    where = profiler.profile(job, lambda phase, share: None, lambda record: None).environment
    assert (where.conv_fp32, where.matmul_fp32, where.deterministic) == ("ieee", "ieee", True)
    assert not torch.are_deterministic_algorithms_enabled()
