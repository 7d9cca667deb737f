"""The two kinds of error, told apart.

A `UserError` is what the person at the terminal can put right: one line that
says what is wrong and what to do, caught once in `cli.main`. Everything else
is a bug and keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """One line for the person at the terminal; the program ends with `exit_code`."""

    exit_code = 2


class CouldNotMeasure(UserError):
    """Something that was asked for could not be measured."""

    exit_code = 3


class OutOfMemory(CouldNotMeasure):
    """A workload does not fit on its device."""


class NotComparable(UserError):
    """A baseline is absent or comes from an unlike machine."""

    exit_code = 4


def visible(text: str) -> str:
    """One line without control characters: a newline becomes `\\n`, an escape `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> str:
    """A hint to append to a message: the closest names, else the sentence given."""
    close = get_close_matches(name, list(names), n=3, cutoff=0.6)
    if not close:
        return otherwise
    return f"Did you mean {' or '.join(repr(match) for match in close)}?"


def first_line(error: BaseException) -> str:
    """What an error says, without its advice."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
