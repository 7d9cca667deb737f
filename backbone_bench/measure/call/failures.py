"""What may go wrong while a model runs, in words: one place that reads torch's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from backbone_bench.base.errors import CouldNotMeasure, OutOfMemory, first_line
from backbone_bench.records import Workload

# Beside torch.OutOfMemoryError: of the host, of MPS and of the driver, of libraries that ask the driver themselves.
_FULL = ("can't allocate memory", "not enough memory", "out of memory", "_STATUS_ALLOC_FAILED")
_UNABLE = ("not implemented for", "Could not run", "not currently implemented")


@contextmanager
def in_words(workload: Workload, device: str) -> Iterator[None]:
    """Turn what the device cannot do into CouldNotMeasure; other errors are the model's own and pass.

    A batch that does not fit is never made smaller: that would change what is measured.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # out of memory, and what torch has not implemented, are RuntimeErrors
        message = explain(error, workload, device)
        if message is None:
            raise
        full = _out_of_memory(error, first_line(error))
        raise (OutOfMemory if full else CouldNotMeasure)(message) from None


def explain(error: BaseException, workload: Workload, device: str) -> str | None:
    """A line for the user, or None where the error is not one of these."""
    line = first_line(error)
    if _out_of_memory(error, line):
        return f"{workload.model}: batch {workload.batch} does not fit on {device}: {line}. Use a smaller --batch-size."
    if any(sign in line for sign in _UNABLE):
        return f"{workload.model} cannot run in {workload.precision} on {device}: {line}."
    if workload.compile is not None and _from_compiler(error):
        return f"{workload.model} cannot be compiled ({workload.compile}): {line}. Leave --compile out."
    return None


def _out_of_memory(error: BaseException, line: str) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(sign in line for sign in _FULL)


def _from_compiler(error: BaseException) -> bool:
    from torch._dynamo.exc import TorchDynamoException  # loads the compiler, which is here already if it has failed

    return isinstance(error, TorchDynamoException)
