"""The command line in this process: words in, exit code and both streams out."""

import gc
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from backbone_bench.cli import main


class Told(NamedTuple):
    code: int
    out: str
    err: str


Bench = Callable[..., Told]


@pytest.fixture
def bench(monkeypatch, capfd) -> Bench:
    def call(*words: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        gc.enable()  # a command may leave the collector off, since its process ends with it
        out, err = capfd.readouterr()
        return Told(int(ended.value.code or 0), out, err)

    return call
