"""Clocks are locked only on request, and unlocked on every exit."""

import os
import signal
import subprocess
import sys

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.measure.nvml.lock import lock_clocks


def test_a_clock_is_held_within_and_released_after(world, card):
    with lock_clocks(card, 1.41e9):
        assert world.gpu.locked_mhz == 1410
    assert world.gpu.locked_mhz == 0


def test_a_clock_is_held_at_the_nearest_megahertz(world, card):
    with lock_clocks(card, 1_409_700_000.0):
        assert world.gpu.locked_mhz == 1410


def test_the_base_clock_is_asked_for_by_name(world, card):
    with lock_clocks(card):
        assert world.gpu.locked_mhz == 0xFFFFFF01  # NVML_CLOCK_LIMIT_ID_TDP


def test_a_failing_measurement_releases_the_clocks(world, card):
    with pytest.raises(ZeroDivisionError), lock_clocks(card):
        raise ZeroDivisionError
    assert world.gpu.locked_mhz == 0


def test_without_the_right_to_lock_the_remedy_is_named_and_nothing_is_released(world, card):
    world.fail("nvmlDeviceSetGpuLockedClocks", 4)
    world.gpu.locked_mhz = 1200  # locked by another program
    with (
        pytest.raises(UserError, match=r"^--lock-clocks needs root: sudo nvidia-smi -lgc 1410$"),
        lock_clocks(card, 1.41e9),
    ):
        pytest.fail("not locked, yet measured")
    assert world.gpu.locked_mhz == 1200


def test_clocks_that_cannot_be_released_are_told_with_the_remedy(world, card, capsys):
    with lock_clocks(card):
        world.fail("nvmlDeviceResetGpuLockedClocks", 999)
    assert "sudo nvidia-smi -rgc" in capsys.readouterr().err


def test_signal_handlers_are_put_back(card):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    with lock_clocks(card):
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before


BODY = """
import os, signal, sys
from pathlib import Path
from backbone_bench.measure.nvml.lock import lock_clocks
from backbone_bench.measure.nvml.card import open_card
from tests.measure.nvml.world import World
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore both: nohup, a shell's &
signal.signal(signal.SIGINT, signal.default_int_handler)
world = World(Path(os.environ["NVML_STUB_STATE"]))
held = lock_clocks(open_card(world.identity, world), 1.41e9)
{before}
with held:
    assert world.gpu.locked_mhz == 1410
    {within}
"""

WAYS = {
    "SIGTERM": ("", "os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGHUP": ("", "os.kill(os.getpid(), signal.SIGHUP)", -signal.SIGHUP),
    "SIGINT": ("", "os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    "a handler of the program's own": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))", "os.kill(os.getpid(), signal.SIGTERM)", 143,
    ),
    "sys.exit": ("", "sys.exit(3)", 3),
    "a block that is never left": ("held.__enter__(); sys.exit(0)", "", 0),
}  # fmt: skip


@pytest.mark.parametrize(("before", "within", "code"), WAYS.values(), ids=WAYS)
def test_clocks_are_released_on_the_way_out_by(build_nvml, world, before, within, code):
    variables = {**os.environ, "LD_LIBRARY_PATH": str(build_nvml().parent), "NVML_STUB_STATE": str(world.path)}
    script = BODY.format(before=before, within=within or "pass")
    world.gpu.locked_mhz = 7
    ended = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert world.gpu.locked_mhz == 0


def test_a_signal_that_is_ignored_leaves_the_clocks_held(world, card):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with lock_clocks(card, 1.41e9):
            os.kill(os.getpid(), signal.SIGHUP)
            assert world.gpu.locked_mhz == 1410
    finally:
        signal.signal(signal.SIGHUP, before)
