"""Random choices of a model, such as layers that it skips: every count makes the same ones.

The sources are Python's `random`, torch's and numpy's generators, and generators that a module keeps as attributes. One
that the model makes anew in each call, or keeps elsewhere, is not seen.
"""

import ctypes
import random
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import NoneType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from backbone_bench.cost.swap import LAYERS

TRIED_SEEDS = {"meta": 8, "cpu": 2}  # by where a pass runs: on the CPU it takes long


# Types of nearly all attributes of a module: a look at each takes longer than counting the module.
_NO_SOURCES = {bool, int, float, str, tuple, list, set, dict, OrderedDict, NoneType}


class _Source(NamedTuple):
    """One generator of random numbers: how its state is read and written, and how it gets another seed."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    seed: Callable[[int], object]
    surely_at: Callable[[Any], bool] = lambda state: False  # whether it has this state, if that is seen at once

    def is_at(self, state: Any) -> bool:
        return self.surely_at(state) or _same(self.read(), state)


class Chance:
    """All random sources of the modules of a model, and whether the model has drawn from one."""

    def __init__(self, modules: Iterable[nn.Module] = ()) -> None:
        self.was_used = False
        self._common = [_Source(random.getstate, random.setstate, random.seed), _of_torch(torch.default_generator)]
        if (numpy := _numpy_random()) is not None:
            self._common.append(_of_legacy_numpy(numpy.mtrand._rand))  # whose methods are the functions of the module
        own = (module for module in modules if type(module) not in LAYERS)
        kept = (value for module in own for value in vars(module).values() if type(value) not in _NO_SOURCES)
        self._own = [source for value in kept if (source := _of_object(value)) is not None]

    @contextmanager
    def seeded(self, seed: int, *, own: bool = False) -> Iterator[None]:
        """Give all sources this seed, the model's own only if `own`; afterwards every one is as it was."""
        before = [(source, source.read()) for source in [*self._common, *self._own]]
        for source in [*self._common, *self._own] if own else self._common:
            source.seed(seed)
        try:
            yield
        finally:
            for source, state in before:
                source.write(state)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note whether something within the block draws, and set every source back: the next pass draws the same."""
        before = [(source, source.read()) for source in [*self._common, *self._own]]
        try:
            yield
        finally:
            for source, state in before:
                if not source.is_at(state):
                    self.was_used = True
                    source.write(state)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):  # numpy's, of numbers and arrays
        return all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    return bool((one == other).all()) if hasattr(one, "all") else bool(one == other)


def _numpy_random() -> Any:
    """The module `numpy.random`; None if it is not loaded: it loads late, but before the code of a user."""
    return sys.modules.get("numpy.random")


def _of_torch(generator: torch.Generator) -> _Source:
    return _Source(generator.get_state, generator.set_state, generator.manual_seed)


def _of_object(value: object) -> _Source | None:
    """The source that an attribute of a module is; None for any other value."""
    if isinstance(value, torch.Generator):
        return _of_torch(value)
    if isinstance(value, random.Random):
        return _Source(value.getstate, value.setstate, value.seed)
    numpy = _numpy_random()
    if numpy is None:
        return None
    if isinstance(value, numpy.RandomState):
        return _of_legacy_numpy(value)
    return _of_numpy(value.bit_generator) if isinstance(value, numpy.Generator) else None


def _of_legacy_numpy(state: Any) -> _Source:
    """A `RandomState`. Numpy takes long to show its 624 words, one by one, so they are compared where they lie."""

    def surely_at(before: Any) -> bool:
        bits = state._bit_generator
        if before["has_gauss"] or type(bits).__name__ != "MT19937":  # a second normal number is kept: no word changes
            return False
        words = before["state"]["key"].tobytes() + before["state"]["pos"].to_bytes(4, sys.byteorder)
        return ctypes.string_at(bits.ctypes.state_address, len(words)) == words

    return _Source(lambda: state.get_state(legacy=False), state.set_state, state.seed, surely_at)


def _of_numpy(bits: Any) -> _Source:
    def write(state: Any) -> None:
        bits.state = state

    return _Source(lambda: bits.state, write, lambda seed: write(type(bits)(seed).state))
