"""The house rules: data flows one way, and what reads results never loads torch."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import backbone_bench
from tools import flow, house
from tools.house import FLOORS

PACKAGE = Path(backbone_bench.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

LOOSE = {"__init__.py", "__main__.py", "api.py"}  # what may stand at the top of the package
TORCH = {"zoo", "cost", "measure", "profiler", "doctor", "api"}
TORCH_FILES = {
    "base/forwards.py",
    "base/pytree.py",
    "base/torch_versions.py",
    "base/training.py",
}  # in rooms that are free of it otherwise
VERSION_OF_TORCH = {"measure/environment.py", "measure/devices/available.py", "zoo/sources.py"}  # each only shows it
FREE_OF_TORCH = {"zoo/catalogue.py", "zoo/defaults.py"}  # and the other way round
ONE_USER = {
    "pynvml": {"measure/nvml/card.py"},
    "fvcore": {"cost/crosscheck.py"},
    "ray": {"run/fleet/ray/cluster.py"},
    "rich": {"report/tables/terminal.py", "report/tables/fit.py", "cli/progress/bar.py"},
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def imports(path: Path) -> set[str]:
    """Every module that the file imports, at its top or within."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    return {module for module in imports(path) if module.startswith("backbone_bench.")}


def tops(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


def test_what_depends_on_the_version_of_torch_stands_in_one_file():
    """The others only show the version: they compare it with nothing."""
    asking = {name(path) for path in FILES if re.search(r"torch\.(__version__|version\.__version__)", path.read_text())}
    assert asking == VERSION_OF_TORCH


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_down(path):
    if name(path) == "__init__.py":
        return  # the package's face: what it hands on is `api`
    floor = next(n for n, rooms in enumerate(FLOORS) if room(path) in rooms)
    below = {room for rooms in FLOORS[floor + 1 :] for room in rooms} | {room(path)}
    assert {module.split(".")[1] for module in ours(path)} <= below


def test_no_files_import_each_other_in_a_circle():
    """Imports within functions count too: a circle that waits is a circle."""
    modules = {dotted(path): path for path in FILES}
    imported = {own: {found for module in ours(path) if (found := known(module, modules))} - {own}
                for own, path in modules.items() if path.name != "__init__.py"}  # fmt: skip
    left = {own: others & imported.keys() for own, others in imported.items()}
    while free := [own for own, others in left.items() if not others]:
        left = {own: others - set(free) for own, others in left.items() if own not in free}
    assert not left


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def known(module: str, modules: Mapping[str, Path]) -> str | None:
    """The file of ours that an import names, by itself or by a name within it."""
    return next((one for one in (module, module.rpartition(".")[0]) if one in modules), None)


def test_nothing_stands_loose_at_the_top():
    assert {path.name for path in PACKAGE.glob("*.py")} == LOOSE


def test_the_floors_name_every_room():
    rooms = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert {room for rooms in FLOORS for room in rooms} == rooms - {"__init__", "__pycache__", "py"}


def test_the_picture_and_the_map_name_rooms_that_are_there():
    assert all((PACKAGE / box.room).is_dir() for box in flow.BOXES)
    assert all(sentence for _, _, sentence in house.rows())


def test_every_room_says_in_a_sentence_what_it_is_for():
    assert all(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_the_rooms_that_count_and_measure_load_torch(path):
    if (room(path) not in TORCH and name(path) not in TORCH_FILES) or name(path) in FREE_OF_TORCH:
        assert "torch" not in tops(imports(path))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_each_vendor_library_has_one_user(path):
    for library, users in ONE_USER.items():
        assert library not in tops(imports(path)) or name(path) in users


def types(path: Path) -> Iterator[str]:
    """The classes and types that a file defines at its top; a type is a name with a capital and small letters."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and target.id[:1].isupper() and not target.id.isupper():
                yield target.id


def test_every_class_and_type_has_a_name_of_its_own():
    """What begins with an underscore is known to its own file only; a command and its Python call share a name."""
    homes: dict[str, list[str]] = {}
    for path in FILES:
        for one in types(path):
            homes.setdefault(one, []).append(name(path))
    twice = {one: files for one, files in homes.items() if len(files) > 1 and not one.startswith("_")}
    assert twice == {}


READING = [
    ["--help"],
    ["--version"],
    ["list"],
    ["run", "--help"],
    ["schema"],
    ["compare", "none.json"],
    ["gate", "--baseline", "none.json", "--current", "none.json"],
    ["count", "vovnet38"],
]


def test_reading_commands_never_load_torch():
    """One after the other in one fresh process: the first that has loaded something is to blame."""
    code = (
        "import sys, contextlib, io\n"
        "from backbone_bench.cli import main\n"
        f"for words in {READING!r}:\n"
        "    sys.argv = ['bench', *words]\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main()\n"
        "    loaded = {'torch', 'numpy', 'fvcore', 'pynvml', 'matplotlib'} & sys.modules.keys()\n"
        "    print(*words, *loaded)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == [" ".join(words) for words in READING]
