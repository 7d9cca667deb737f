"""Fixtures: build the stub of libnvidia-ml.so.1 and load it under the real pynvml."""

import ctypes
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pynvml
import pytest
import torch

from backbone_bench.measure.nvml.card import Card, open_card
from tests.measure.nvml.world import State, World

SOURCE = Path(__file__).with_name("stub.c")


@pytest.fixture(scope="session")
def cc() -> str:
    """A C compiler. Without one the test is skipped; in CI it fails."""
    found = which(os.environ.get("CC", "cc"))
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no C compiler (cc) to build the NVML stub")
    return found


@pytest.fixture(scope="session")
def build_nvml(cc: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Build the library, once for each set of flags."""
    built: dict[tuple[str, ...], Path] = {}

    def build(*flags: str) -> Path:
        if flags not in built:
            folder = tmp_path_factory.mktemp("nvml")
            library = folder / "libnvidia-ml.so.1"
            options = ("-std=c11", "-D_DEFAULT_SOURCE", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", *flags)
            subprocess.run(
                [cc, *options, "-Wl,-soname,libnvidia-ml.so.1", "-o", str(library), str(SOURCE), "-lm"], check=True
            )
            built[flags] = library
        return built[flags]

    return build


@pytest.fixture(scope="session")
def state_file(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("state") / "world")


@pytest.fixture
def world(build_nvml: Callable[..., Path], state_file: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A healthy simulated machine, read by the real pynvml through the stub."""
    state_file.reset()
    _load(build_nvml(), state_file, monkeypatch)
    return state_file


@pytest.fixture
def old_world(build_nvml: Callable[..., Path], state_file: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same with a driver that lacks the newer calls."""
    state_file.reset()
    _load(build_nvml("-DOLD_DRIVER"), state_file, monkeypatch)
    return state_file


def _load(library: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = ctypes.CDLL(str(library))
    loaded.stub_size.restype = ctypes.c_ulong
    assert loaded.stub_size() == ctypes.sizeof(State), "stub.c and world.py describe different structures"
    loaded.stub_attach(str(world.path).encode())
    monkeypatch.setattr(pynvml, "nvmlLib", loaded)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})


@pytest.fixture
def card(world: World) -> Card:
    """The card under test, on a healthy machine."""
    found = open_card(world.identity, world)
    assert isinstance(found, Card)
    return found


@pytest.fixture
def torch_card(world: World, monkeypatch: pytest.MonkeyPatch) -> type:
    """Properties of the card under test, as a CUDA build of torch gives them."""

    class Properties:
        name, uuid = world.identity.name, world.identity.uuid
        major, minor, multi_processor_count, total_memory = 8, 6, 108, 42_000_000_000
        L2_cache_size, memory_bus_width = 40 * 1024**2, 5120
        pci_domain_id, pci_bus_id, pci_device_id = 0, 0x81, 0

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: Properties.name)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (Properties.major, Properties.minor))
    monkeypatch.setattr(torch.version, "hip", None)
    return Properties
