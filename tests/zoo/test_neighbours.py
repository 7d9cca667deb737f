"""What a user's file imports is its own, whatever other files of one name the process has."""

import sys
import types
from pathlib import Path

import pytest

from backbone_bench.jobs.job import Job
from backbone_bench.profiler import count
from backbone_bench.records import ModelCost

NET = """
from torch import nn
{line}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = block()

    def forward(self, x):
        return self.conv(x)
"""
BLOCKS = "from torch import nn\ndef block():\n    return nn.Conv2d(3, {width}, 3)\n"


def folder(place: Path, width: int, blocks: str = "blocks.py", line: str = "from blocks import block") -> Path:
    """A folder with `net.py` and what it imports. Returns the file."""
    file = place / blocks
    file.parent.mkdir(parents=True)
    file.write_text(BLOCKS.format(width=width))
    (place / "net.py").write_text(NET.format(line=line))
    return place / "net.py"


def params(file: Path) -> int:
    found = count(Job(f"{file}:Net", {}, input_size=32)).cost
    assert isinstance(found, ModelCost)
    return found.params


@pytest.fixture(autouse=True)
def modules_as_before():
    before = {**sys.modules}
    yield
    for name in [*sys.modules]:
        if name not in before:
            del sys.modules[name]
    sys.modules.update(before)


FORMS = {
    "a module": ("blocks.py", "from blocks import block"),
    "a package": ("blocks/__init__.py", "from blocks import block"),
    "a package without __init__": ("blocks/conv.py", "from blocks.conv import block"),
    "a module of a package": ("blocks/deep/conv.py", "import blocks.deep.conv\nblock = blocks.deep.conv.block"),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_of_two_files_has_its_own_neighbours(form, tmp_path):
    old = folder(tmp_path / "old", 8, *FORMS[form])
    new = folder(tmp_path / "new", 16, *FORMS[form])
    assert [params(file) for file in (old, new, old, new)] == [224, 448, 224, 448]


def test_one_file_beside_another_uses_the_same_module(tmp_path):
    net = folder(tmp_path / "one", 8)
    (net.parent / "other.py").write_text(net.read_text())
    assert params(net) == params(net.with_name("other.py")) == 224


def test_the_modules_of_the_calling_program_are_not_used_and_stay(tmp_path):
    caller = types.ModuleType("blocks")
    caller.__file__ = str(tmp_path / "caller" / "blocks.py")
    caller.block = None  # type: ignore[attr-defined]
    sys.modules["blocks"] = caller
    assert params(folder(tmp_path / "one", 8)) == 224
    assert sys.modules["blocks"] is caller


def test_a_neighbour_with_the_name_of_a_module_of_python_or_of_ours_takes_nobody_s_place(tmp_path):
    net = folder(tmp_path / "one", 8)
    for name in ("random", "torch", "backbone_bench", "__main__"):
        (net.parent / f"{name}.py").write_text("raise RuntimeError('imported')")
    before = [sys.modules[name] for name in ("random", "torch", "backbone_bench", "__main__")]
    assert params(net) == 224
    assert [sys.modules[name] for name in ("random", "torch", "backbone_bench", "__main__")] == before


def test_two_files_of_one_name_are_two_modules(tmp_path):
    """A class finds its own module, also after another file of the same name was read."""
    first, second = folder(tmp_path / "old", 8), folder(tmp_path / "new", 16)
    before = {*sys.modules}
    params(first)
    params(second)
    ours = [name for name in sys.modules.keys() - before if name.startswith("backbone_bench_user_net")]
    assert len(ours) == 2
