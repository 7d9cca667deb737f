"""Signals: handled at once, deferred within a `deferred` block, never lost."""

import os
import signal
import time

import pytest

from backbone_bench.base import signals
from backbone_bench.base.signals import PATIENCE_S, Interrupted, SignalState


@pytest.fixture
def scripted():
    """A `SignalState` on a scripted clock, and a function that sends it a signal."""
    now_s = [100.0]
    state = SignalState(lambda: now_s[0])

    def send(after_s=0.0, number=signal.SIGTERM):
        now_s[0] += after_s
        state.handle(number, None)

    return state, send


def test_a_signal_is_raised_where_the_program_stands(scripted):
    _, send = scripted
    with pytest.raises(Interrupted, match="stopped by SIGINT") as caught:
        send(number=signal.SIGINT)
    assert caught.value.exit_code == 130


def test_a_signal_waits_until_everything_that_must_not_be_cut_is_over(scripted):
    state, send = scripted
    done = []
    with pytest.raises(Interrupted), state.deferred():  # noqa: PT012  # it is raised at the end
        with state.deferred():
            send()
        done.append("inner")
    assert done == ["inner"]
    with state.deferred():  # it has been raised, and is not raised again
        pass


def test_a_repeat_within_a_second_is_the_same_wish_and_a_later_one_waits_for_nothing(scripted):
    state, send = scripted
    with pytest.raises(Interrupted), state.deferred():  # noqa: PT012  # it is raised at the end
        send()
        send(PATIENCE_S / 2, signal.SIGINT)
        with pytest.raises(Interrupted, match="SIGINT"):
            send(PATIENCE_S / 2, signal.SIGINT)


def test_what_must_not_be_cut_and_fails_says_so(scripted):
    state, send = scripted
    with pytest.raises(ValueError, match="full"), state.deferred():  # noqa: PT012  # the block is what is tested
        send()
        raise ValueError("full")
    assert state.received is not None


class Finalized:
    """Gets a signal in its finalizer, where an exception is lost."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_a_finalizer_swallows_comes_again(capfd):
    with pytest.raises(Interrupted), signals.handled():  # noqa: PT012  # the signal is raised in `sleep`
        Finalized()
        time.sleep(30)
    assert capfd.readouterr().err == ""


def test_handlers_are_those_of_before_in_the_end_and_what_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.handled() as outer, signals.handled() as inner:
            assert outer is inner
            assert signal.getsignal(signal.SIGTERM) == outer.handle
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_where_nobody_hears_signals_nothing_changes():
    with pytest.raises(KeyboardInterrupt), signals.deferred():
        signal.raise_signal(signal.SIGINT)
