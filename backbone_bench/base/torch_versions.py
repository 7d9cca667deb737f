"""What differs between versions of torch, from 2.9 on: one table or function for each difference.

No version is asked while a model runs: each answer is the same in every torch. Only `bench doctor` asks for it, to name
known faults. `make test-torch` runs the tests in another torch. When the oldest supported torch is newer than a
difference, remove the difference.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from backbone_bench.base.choices import HOST


class TagAddition(NamedTuple):
    """Operations without FLOPs to which torch gives a tag, pointwise or reduction, only from a version on."""

    since: tuple[int, int]  # the first torch with the tag
    operations: frozenset[str]


TAG_ADDITIONS = (
    TagAddition(
        (2, 10),
        frozenset(
            (
                "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "linalg_vector_norm",
                "logsumexp", "mean", "nansum", "norm", "prod", "std", "std_mean", "sum", "var", "var_mean",
            )
        ),
    ),
    TagAddition((2, 12), frozenset(("leaky_relu", "_conj_physical"))),
)  # fmt: skip

_WITHOUT_TAG = frozenset[str]().union(*(addition.operations for addition in TAG_ADDITIONS))
# Torch before 2.10 has no tag for reductions.
_TAGS = {getattr(torch.Tag, name) for name in ("pointwise", "reduction") if hasattr(torch.Tag, name)}


def call_what_loads() -> None:
    """Call the operations at whose first call torch loads the rest of itself: softmax; addmm in torch before 2.11.

    Without the second, the first count of a process with torch 2.10 holds tensors too long.
    """
    matrix = torch.ones(2, 2, device="meta")
    matrix.softmax(0)
    torch.addmm(matrix, matrix, matrix)


def is_tagged(packet: Any) -> bool:
    """Whether torch itself tags one of an operation's overloads as pointwise or as a reduction."""
    return any(_TAGS & {*getattr(packet, name).tags} for name in packet.overloads())


def counts_no_flops(op: str, packet: Any) -> bool:
    """Whether an operation is pointwise or a reduction, which count no FLOPs; the answer is the same in every torch."""
    return op in _WITHOUT_TAG or is_tagged(packet)


def default_device() -> torch.device:
    """Return the device on which torch makes tensors if none is named.

    Torch 2.9 raises an error instead once its default was put back (`set_default_device(None)`).
    """
    try:
        return torch.get_default_device()
    except AttributeError:
        return torch.device(HOST)


class Fault(NamedTuple):
    """A fault of torch with some versions of cuDNN, and what the user can do."""

    since: tuple[int, int]  # the first torch with the fault
    cudnn: range  # the versions of cuDNN with it, as torch numbers them
    what: str
    remedy: str


FAULTS = (
    # github.com/pytorch/pytorch/issues/166643 and pull/166480; torch 2.10 for CUDA 12 still brings cuDNN 9.10.
    Fault(
        since=(2, 9),
        cudnn=range(90800, 91500),
        what="3D convolutions in fp16, bf16 and amp run without cuDNN: they are slower and take more memory",
        remedy="Install torch 2.11 or newer, or cuDNN 9.15 or newer beside torch 2.9.1 or newer.",
    ),
)
NEWEST_TRIED = (2, 15)  # the newest torch in which all tests have passed


def number(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version of torch: `2.13.0+cu130` is (2, 13)."""
    major, minor = re.findall(r"\d+", version)[:2]
    return int(major), int(minor)


def faults(version: str, cudnn: int | None) -> tuple[Fault, ...]:
    """Return the known faults of a version of torch with a version of cuDNN; None: a build without cuDNN."""
    return tuple(fault for fault in FAULTS if fault.since <= number(version) and cudnn in fault.cudnn)


@contextmanager
def no_warning_of_read_only_buffers() -> Iterator[None]:
    """Hide a warning about torch's own code: torch 2.9 loads an exported program from a buffer that it only reads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
        yield
