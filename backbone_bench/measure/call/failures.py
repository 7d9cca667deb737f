"""Errors of a running model as messages for the user. Only this module interprets torch's error texts."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from backbone_bench.base.errors import CouldNotMeasure, OutOfMemory, first_line
from backbone_bench.records import Workload

# Out-of-memory texts beside torch.OutOfMemoryError: host, MPS, driver, and libraries that allocate themselves.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "_STATUS_ALLOC_FAILED")
_UNSUPPORTED = ("not implemented for", "Could not run", "not currently implemented")


@contextmanager
def as_user_errors(workload: Workload, device: str) -> Iterator[None]:
    """Turn errors due to the device into CouldNotMeasure. Other errors are the model's own and pass unchanged.

    A batch that does not fit is never made smaller: that would change the workload.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # out of memory and missing operations are RuntimeErrors
        message = explain(error, workload, device)
        if message is None:
            raise
        out_of_memory = _out_of_memory(error, first_line(error))
        raise (OutOfMemory if out_of_memory else CouldNotMeasure)(message) from None


def explain(error: BaseException, workload: Workload, device: str) -> str | None:
    """One-line message for the user; None if the error is not due to the device."""
    line = first_line(error)
    if _out_of_memory(error, line):
        return f"{workload.model}: batch {workload.batch} does not fit on {device}: {line}. Use a smaller --batch-size."
    if any(sign in line for sign in _UNSUPPORTED):
        remedy = "Use another --precision or --device."
        return f"{workload.model} cannot run in {workload.precision} on {device}: {line}. {remedy}"
    if workload.compile is not None and _from_compiler(error):
        return f"{workload.model} cannot be compiled ({workload.compile}): {line}. Leave --compile out."
    return None


def _out_of_memory(error: BaseException, line: str) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(sign in line for sign in _OUT_OF_MEMORY)


def _from_compiler(error: BaseException) -> bool:
    from torch._dynamo.exc import TorchDynamoException  # slow import, but after a compiler error it is already loaded

    return isinstance(error, TorchDynamoException)
