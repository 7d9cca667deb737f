"""Fixture `bench`: run a command in this process and capture its exit code, stdout and stderr."""

import gc
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from backbone_bench.cli import main


class Output(NamedTuple):
    code: int
    out: str
    err: str


Bench = Callable[..., Output]


@pytest.fixture
def bench(monkeypatch, capfd) -> Bench:
    def call(*words: object) -> Output:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        gc.enable()  # a command may leave the collector off, because its process ends soon
        out, err = capfd.readouterr()
        return Output(int(ended.value.code or 0), out, err)

    return call
