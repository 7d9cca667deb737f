"""Every command and flag in README.md, SKILL.md and docs/ exists, and SKILL.md has its front matter."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from backbone_bench.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").glob("*.md"))]


def leaves(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """The commands that people see, by name; one within a group by both names: `fleet status`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, f"{before}{name} ")
        elif not command.hidden:
            yield f"{before}{name}", command


COMMANDS = dict(leaves(typer.main.get_command(app)))
GROUPS = {name.partition(" ")[0] for name in COMMANDS if " " in name}
LINE = re.compile(r"(?:^ {4}|`)bench ([a-z][^`\n]*)", re.MULTILINE)
FLAG = re.compile(r"(?<!\S)--?[a-z][a-z-]*")


def words_of(page: Path) -> list[str]:
    return LINE.findall(page.read_text(encoding="utf-8"))


def command_of(words: str) -> tuple[str, str]:
    """The command in a line, and the rest of the line."""
    first, _, rest = words.partition(" ")
    if first in GROUPS and (second := rest.split(" ")[0].strip()):
        return f"{first} {second.partition('|')[0]}", rest.partition(" ")[2]
    return first.strip(), rest


def flags_of(command: str) -> set[str]:
    of_run = COMMANDS["run"].params if command in ("gate", "bisect") else ()  # gate … -- run …
    options = [*COMMANDS[command].params, *of_run]
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)} | {"--help", "-h"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_and_flag_that_a_page_names_exists(page: Path):
    for words in words_of(page):
        command, rest = command_of(words.partition("#")[0])
        assert command in COMMANDS or command in GROUPS, words
        assert set(FLAG.findall(rest)) <= (flags_of(command) if command in COMMANDS else {"--help"}), words


def test_the_pages_name_every_command_and_show_its_help():
    shown = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- generated: help ([\w ]+) -->", shown)) == set(COMMANDS)
    assert len({words.split()[0] for page in PAGES for words in words_of(page)}) > 10


def test_the_skill_has_a_name_and_a_description():
    opening, *lines = (ROOT / "SKILL.md").read_text(encoding="utf-8").splitlines()
    assert opening == "---"
    front = dict(line.split(": ", 1) for line in lines[: lines.index("---")])
    assert front.keys() == {"name", "description"}
    assert front["name"] == "backbone-bench"
    assert front["description"].strip()
