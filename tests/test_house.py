"""The house rules: data flows one way, and what reads results never loads torch."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import backbone_bench

PACKAGE = Path(backbone_bench.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# A room imports from its own row's own room, and from the rows below it (DESIGN.md, section 3).
ROWS = (
    {"__main__"},
    {"cli", "api"},
    {"comparisons"},
    {"sides", "contests"},
    {"doctor", "sweep", "resume", "rounds", "estimate", "evidence"},
    {"runner"},
    {"worker"},
    {"profiler"},
    {"settings", "report", "subject"},
    {"zoo", "cost", "measure", "claims", "gate", "versus"},
    {"messages"},
    {"jobs", "store"},
    {"nested"},
    {"paired"},
    {"records"},
    {"stats", "errors", "grouping", "stops"},
)
TORCH = {"zoo", "cost", "measure", "profiler", "runner", "doctor", "worker", "nested", "subject", "api"}
ONE_USER = {"pynvml": {"measure/nvml.py"}, "fvcore": {"cost/crosscheck.py"}}


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


def tops(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_one_way(path):
    if room(path) == "__init__":
        return
    row = next(n for n, rooms in enumerate(ROWS) if room(path) in rooms)
    below = {room for rooms in ROWS[row + 1 :] for room in rooms} | {room(path), "__version__", "__file__"}
    ours = {module.split(".")[1] for module in imports(path) if module.startswith("backbone_bench.")}
    assert ours <= below


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_the_rooms_that_count_and_measure_load_torch(path):
    if room(path) not in TORCH or name(path) == "zoo/catalogue.py":
        assert "torch" not in tops(imports(path))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_each_vendor_library_has_one_user(path):
    for library, users in ONE_USER.items():
        assert library not in tops(imports(path)) or name(path) in users
    assert "rich" not in tops(imports(path)) or name(path).startswith("report/terminal")


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
