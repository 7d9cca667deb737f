"""Errors that the user can correct, and helpers for their messages.

A `UserError` is one line that says what is wrong and what to do; `cli.main`
catches it once. Every other exception is a bug and keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """An error that the user can correct, in one line; the program ends with `exit_code`."""

    exit_code = 2


class CouldNotMeasure(UserError):
    """A requested measurement was not possible."""

    exit_code = 3


class OutOfMemory(CouldNotMeasure):
    """A workload does not fit in the memory of its device."""


class NotComparable(UserError):
    """A baseline is absent, or its machine differs too much from this one."""

    exit_code = 4


def visible(text: str) -> str:
    """Escape control characters, so that text stays on one line: a newline becomes `\\n`, an escape `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> str:
    """A hint to append to an error message: the closest names, or `otherwise` if no name is close."""
    close = get_close_matches(name, list(names), n=3, cutoff=0.6)
    if not close:
        return otherwise
    return f"Did you mean {' or '.join(repr(match) for match in close)}?"


def first_line(error: BaseException) -> str:
    """The first line of an error's message without its final period; the advice below it is left out."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
