"""Precision of the arithmetic: set torch's global switches, read them back, and restore them.

`fp32` is IEEE single precision everywhere; `tf32` lets convolutions and matrix
products round their inputs to 10 bits, if the hardware can. Torch's own default
is neither: convolutions in TF32, matrix products in IEEE.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Literal, NamedTuple

import torch

from backbone_bench.base.choices import HALF_TYPES, is_host
from backbone_bench.base.errors import UserError
from backbone_bench.base.torch_versions import default_device
from backbone_bench.records import Workload

HALVES = {name: getattr(torch, type_name) for name, type_name in HALF_TYPES.items()}

Fp32 = Literal["ieee", "tf32", "bf16"]


class Applied(NamedTuple):
    """Precision settings in effect, as torch reports them."""

    conv_fp32: Fp32  # arithmetic of convolutions of float32 tensors
    matmul_fp32: Fp32
    autocast: str | None  # data type that `amp` computes in
    cudnn_benchmark: bool | None  # None if cuDNN is not used
    deterministic: bool
    threads: int


@contextmanager
def applied(workload: Workload, device: str) -> Iterator[Applied]:
    """Set torch's switches for a workload on a device (`cpu`, `cuda:0`), and restore all of them on exit."""
    _refuse(workload.precision, device)
    with ExitStack() as later:
        _restore_on_exit(later)
        set_switches(workload, device)
        yield read(device, amp=workload.precision == "amp")


def set_switches(workload: Workload, device: str) -> None:
    """Set torch's switches for a workload. Call it again after code of the model, which may have changed them."""
    _set_fp32(tf32=workload.precision == "tf32")
    if torch.device(device).type == "cuda":
        torch.backends.cudnn.benchmark = True
    if workload.threads is not None:
        torch.set_num_threads(workload.threads)


@contextmanager
def untouched() -> Iterator[None]:
    """Restore torch's global settings on exit, so that one model's changes do not affect the next model."""
    dtype, device, grad_enabled = torch.get_default_dtype(), default_device(), torch.is_grad_enabled()
    determinism = _determinism()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        if default_device() != device:
            # None for the CPU: torch then does no look-up at every call.
            torch.set_default_device(None if is_host(device.type) else device)
        torch.set_grad_enabled(grad_enabled)
        if _determinism() != determinism:  # setting it loads the compiler, which needs time and memory
            torch.use_deterministic_algorithms(determinism[0], warn_only=determinism[1])


def _determinism() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def read(device: str, *, amp: bool = False) -> Applied:
    """Precision settings that the current switches give on a device."""
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
    """Resolve a switch: `none` (never set) means IEEE, and so does `tf32` on a GPU without TF32."""
    on_gpu = torch.device(device).type == "cuda"
    if setting == "none" or (setting == "tf32" and on_gpu and _no_tf32(device) is not None):
        return "ieee"
    return setting  # type: ignore[return-value]  # torch checks the values


def _set_fp32(*, tf32: bool) -> None:
    for owner in _inherited():
        owner.fp32_precision = "none"
    # Torch's older calls keep its two interfaces consistent. After the newer ones alone,
    # `torch.get_float32_matmul_precision` raises, and the compiler calls it.
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    convolutions: Any = torch.backends.mkldnn
    convolutions.conv.fp32_precision = "ieee"  # the older calls do not set it


def _restore_on_exit(later: ExitStack) -> None:
    """Register callbacks that restore the current value of every switch when `later` closes."""
    later.enter_context(untouched())
    cudnn: Any = torch.backends.cudnn
    mkldnn: Any = torch.backends.mkldnn
    for owner in _inherited():  # while set to none, each operation reports its own value and not an inherited one
        later.callback(setattr, owner, "fp32_precision", owner.fp32_precision)
        owner.fp32_precision = "none"
    for owner in (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul, mkldnn.conv, mkldnn.matmul):
        later.callback(setattr, owner, "fp32_precision", owner.fp32_precision)
    # Callbacks run in reverse order, so the older settings are restored first: they overwrite the newer, finer ones.
    with suppress(RuntimeError):  # raises if the program has used only the newer interface
        later.callback(setattr, cudnn, "allow_tf32", cudnn.allow_tf32)
    with suppress(RuntimeError):
        later.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    later.callback(setattr, cudnn, "benchmark", cudnn.benchmark)
    later.callback(torch.set_num_threads, torch.get_num_threads())


def _inherited() -> tuple[Any, ...]:
    """Owners of an `fp32_precision` that operations without their own value inherit, the outermost first."""
    return torch.backends, torch.backends.cudnn


def _refuse(precision: str, device: str) -> None:
    """Raise UserError if the device does not support the precision."""
    if precision == "tf32" and (reason := _no_tf32(device)) is not None:
        raise UserError(f"{reason} Use --precision fp32.")
    on_mps = torch.device(device).type == "mps"
    if precision == "bf16" and on_mps and not torch.backends.mps.is_macos_or_newer(14, 0):
        raise UserError("bfloat16 on MPS needs macOS 14. Use --precision fp16.")


def _no_tf32(device: str) -> str | None:
    """Reason why a device does not compute in TF32; None if it does."""
    nvidia = torch.device(device).type == "cuda" and torch.version.hip is None
    if not nvidia or torch.cuda.get_device_capability(device) < (8, 0):
        return f"{device} has no TF32: only NVIDIA GPUs since Ampere have it."
    # cuBLAS and cuDNN obey this variable, but torch's switches do not show it.
    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
        return "NVIDIA_TF32_OVERRIDE=0 forbids TF32."
    return None
