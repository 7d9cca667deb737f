"""Compiled code in a model: it runs as written while it is counted, and is compiled as before afterwards.

A compiled function or module shows a recorder no operations. It also remembers for good that it could not be compiled
under one, and would run eagerly ever after. Nothing here loads the compiler, which takes longer than a count.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def compiler_is_loaded() -> bool:
    """Whether something has loaded torch's compiler: without it nothing is compiled."""
    return "torch._dynamo" in sys.modules


def uncompiled() -> AbstractContextManager[Any]:
    """Run compiled functions and modules in eager mode."""
    return torch.compiler.set_stance("force_eager") if compiler_is_loaded() else nullcontext()


def forget_compiled() -> None:
    """Forget what was compiled, and what could not be, so that it is tried again."""
    torch.compiler.reset()
