"""How numbers are computed: torch's global switches, set for a while, read back as they stand, and put back.

`fp32` is IEEE single precision throughout; `tf32` lets convolutions and
matrix products round their inputs to 10 bits, where the hardware can. Torch's
own default is neither: convolutions in TF32, matrix products not.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Literal, NamedTuple

import torch

from backbone_bench.base.choices import is_host
from backbone_bench.base.errors import UserError
from backbone_bench.records import Workload

HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}

Fp32 = Literal["ieee", "tf32", "bf16"]


class Applied(NamedTuple):
    """What torch really does, by its own account."""

    conv_fp32: Fp32  # how a convolution of float32 tensors is computed
    matmul_fp32: Fp32
    autocast: str | None  # the type that `amp` computes in
    cudnn_benchmark: bool | None  # None where there is no cuDNN in play
    deterministic: bool
    threads: int


@contextmanager
def applied(workload: Workload, device: str) -> Iterator[Applied]:
    """Set torch's switches for a workload on a device (`cpu`, `cuda:0`); on the way out all are as they were."""
    _refuse(workload.precision, device)
    with ExitStack() as later:
        _switches(later)
        turn(workload, device)
        yield read(device, amp=workload.precision == "amp")


def turn(workload: Workload, device: str) -> None:
    """Set the switches as the workload asks; again where a model's own code may have turned them since."""
    _set_fp32(tf32=workload.precision == "tf32")
    if torch.device(device).type == "cuda":
        torch.backends.cudnn.benchmark = True
    if workload.threads is not None:
        torch.set_num_threads(workload.threads)


@contextmanager
def untouched() -> Iterator[None]:
    """What a model may set for the whole of torch is put back, so that the next one finds it as this one did."""
    dtype, device, grads = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    strict = _determinism()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if is_host(device.type) else device)  # None: no look at every call
        torch.set_grad_enabled(grads)
        if _determinism() != strict:  # to set it loads the compiler, for which there may be neither time nor memory
            torch.use_deterministic_algorithms(strict[0], warn_only=strict[1])


def _determinism() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def read(device: str, *, amp: bool = False) -> Applied:
    """What the switches as they stand come to on a device."""
    kind = torch.device(device).type
    backend: Any = torch.backends.cudnn if kind == "cuda" else torch.backends.mkldnn
    matmul: Any = torch.backends.cuda.matmul if kind == "cuda" else backend.matmul
    return Applied(
        conv_fp32=_resolved(backend.conv.fp32_precision, device),
        matmul_fp32=_resolved(matmul.fp32_precision, device),
        autocast=str(torch.get_autocast_dtype(kind)).removeprefix("torch.") if amp else None,
        cudnn_benchmark=torch.backends.cudnn.benchmark if kind == "cuda" else None,
        deterministic=torch.are_deterministic_algorithms_enabled() or torch.backends.cudnn.deterministic,
        threads=torch.get_num_threads(),
    )


def _resolved(setting: str, device: str) -> Fp32:
    """`none` is what nobody has set: IEEE. So computes a GPU without TF32 too, whatever is set."""
    on_gpu = torch.device(device).type == "cuda"
    if setting == "none" or (setting == "tf32" and on_gpu and _no_tf32(device) is not None):
        return "ieee"
    return setting  # type: ignore[return-value]  # torch checks the words


def _set_fp32(*, tf32: bool) -> None:
    for owner in _inherited():
        owner.fp32_precision = "none"
    # The older calls: they keep torch's two interfaces in step. After the newer ones alone
    # `torch.get_float32_matmul_precision` raises, and the compiler calls it.
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    convolutions: Any = torch.backends.mkldnn
    convolutions.conv.fp32_precision = "ieee"  # the older calls leave it alone


def _switches(later: ExitStack) -> None:
    """Put every switch back as it is now, on the way out of `later`."""
    later.enter_context(untouched())
    cudnn: Any = torch.backends.cudnn
    mkldnn: Any = torch.backends.mkldnn
    for owner in _inherited():  # without these each operation tells what is its own, and not what it inherits
        later.callback(setattr, owner, "fp32_precision", owner.fp32_precision)
        owner.fp32_precision = "none"
    for owner in (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul, mkldnn.conv, mkldnn.matmul):
        later.callback(setattr, owner, "fp32_precision", owner.fp32_precision)
    # The older settings are put back first: they write the newer ones too, and less finely.
    with suppress(RuntimeError):  # whoever used the newer interface alone has no older setting
        later.callback(setattr, cudnn, "allow_tf32", cudnn.allow_tf32)
    with suppress(RuntimeError):
        later.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    later.callback(setattr, cudnn, "benchmark", cudnn.benchmark)
    later.callback(torch.set_num_threads, torch.get_num_threads())


def _inherited() -> tuple[Any, ...]:
    """Whose `fp32_precision` counts for every operation that has none of its own, the outermost first."""
    return torch.backends, torch.backends.cudnn


def _refuse(precision: str, device: str) -> None:
    """Raise UserError for a precision that the device does not have."""
    if precision == "tf32" and (reason := _no_tf32(device)) is not None:
        raise UserError(f"{reason} Use --precision fp32.")
    on_mps = torch.device(device).type == "mps"
    if precision == "bf16" and on_mps and not torch.backends.mps.is_macos_or_newer(14, 0):
        raise UserError("bfloat16 on MPS needs macOS 14. Use --precision fp16.")


def _no_tf32(device: str) -> str | None:
    """Why nothing on a device is computed in TF32; None where it can be."""
    nvidia = torch.device(device).type == "cuda" and torch.version.hip is None
    if not nvidia or torch.cuda.get_device_capability(device) < (8, 0):
        return f"{device} has no TF32: that is a mode of NVIDIA's GPUs from Ampere on."
    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":  # cuBLAS and cuDNN heed it; torch's switches do not show it
        return "NVIDIA_TF32_OVERRIDE=0 forbids TF32."
    return None
