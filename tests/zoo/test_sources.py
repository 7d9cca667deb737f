"""Loading of a model and its inputs from a reference, and the messages for every user error."""

import gc
import subprocess
import sys
import textwrap
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from backbone_bench import cost, profiler
from backbone_bench.base.errors import UserError
from backbone_bench.jobs.job import Job
from backbone_bench.measure.call.step import set_mode
from backbone_bench.records import ModelCost, TensorSpec, source_of
from backbone_bench.zoo import modes, user
from backbone_bench.zoo.sources import Loaded, Request, load

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a user's file and return its path."""

    def to(text: str, name: str = "net.py") -> str:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    return to


def counted(loaded: Loaded) -> ModelCost:
    args, kwargs, batch, _ = loaded.inputs
    return cost.count(loaded.model, args, kwargs, batch=batch)


def error_of(request: Request) -> str:
    """The error message that the user reads."""
    with pytest.raises(UserError) as error:
        load(request, on_meta=True)
    return str(error.value)


NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width: int = 4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, x):
        return self.conv(x)

def wide(*, width):
    return Net(2 * width)
"""


# References.


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("vovnet39", "zoo"), ("zoo:vovnet39", "zoo"), ("timm:convnext_tiny", "timm"), ("exported:m.pt2", "exported"),
        ("torchvision:resnet50", "torchvision"), ("package.module:factory", "import"), ("a/b.py:Net", "file"),
        ("C:/models/net.py:Net", "file"),
    ],
)  # fmt: skip
def test_a_reference_names_its_source(text: str, source: str) -> None:
    assert source_of(text) == source


def test_a_file_need_not_be_on_the_path_and_names_a_class_or_a_factory(write: Write) -> None:
    file = write(NET)
    before = sys.path.copy()
    flops = [
        counted(load(Request(f"{file}:{name}", arguments, size=8), on_meta=True)).flops
        for name, arguments in (("Net", {}), ("Net", {"width": 8}), ("wide", {"width": 8}))
    ]
    assert flops == [64 * 27 * width for width in (4, 8, 16)]
    assert sys.path == before


def test_a_file_imports_its_neighbours_also_when_it_is_called(write: Write) -> None:
    write("WIDTH = 8", "neighbour_one.py")
    write("DEPTH = 3", "neighbour_two.py")
    file = write(
        """
        from neighbour_one import WIDTH
        from torch import nn

        def build():
            from neighbour_two import DEPTH
            return nn.Conv2d(DEPTH, WIDTH, 3)
        """
    )
    model: Any = load(Request(f"{file}:build", size=8), on_meta=True).model
    assert (model.in_channels, model.out_channels) == (3, 8)


def test_a_package_in_the_working_folder_is_found(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(NET, "somebodys_net.py")
    monkeypatch.chdir(tmp_path)
    assert load(Request("somebodys_net:Net", size=8), on_meta=True).source == "import"
    assert isinstance(load(Request("torch.nn:Identity", size=8), on_meta=True).model, nn.Identity)


def test_a_users_dataclass_finds_its_own_module(write: Write) -> None:
    file = write(
        """
        from __future__ import annotations
        from dataclasses import dataclass
        from torch import nn

        @dataclass
        class Config:
            width: int = 4

        def build():
            return nn.Conv2d(3, Config().width, 1)
        """
    )
    assert load(Request(f"{file}:build", size=8), on_meta=True).model.out_channels == 4


# Inputs.


def test_inputs_are_made_as_asked_with_the_batch_and_by_name(write: Write) -> None:
    file = write(
        """
        from torch import nn

        class Pair(nn.Module):
            def forward(self, left, *, right):
                return left + right
        """
    )
    specs = (TensorSpec((3, 5), "float16"), TensorSpec((1, 5), "float16", "right"))
    loaded = load(Request(f"{file}:Pair", inputs=specs, batch=2), on_meta=True)
    assert loaded.inputs.describe() == ("2x3x5:float16", "right=2x1x5:float16")
    assert counted(loaded).traffic_elems == 30 + 10 + 30


EXAMPLES = {
    "a tuple": ("def example_inputs(self): return (torch.zeros(2, 3, 8, 8),)", (2, "2x3x8x8:float32")),
    "a tensor": ("def example_inputs(self): return torch.zeros(2, 3, 8, 8)", (2, "2x3x8x8:float32")),
    "keywords": ("def example_inputs(self): return {'x': torch.zeros(1, 3, 8, 8)}", (1, "x=1x3x8x8:float32")),
    "another mapping": (
        "def example_inputs(self): return types.MappingProxyType({'x': torch.zeros(1, 3, 8, 8)})",
        (1, "x=1x3x8x8:float32"),
    ),
    "an ordered one": (
        "def example_inputs(self): return collections.UserDict(x=torch.zeros(1, 3, 8, 8))",
        (1, "x=1x3x8x8:float32"),
    ),
    "Lightning's": ("example_input_array = torch.zeros(4, 3, 8, 8)", (4, "4x3x8x8:float32")),
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_models_own_examples_say_what_it_takes(kind: str, write: Write) -> None:
    member, (batch, described) = EXAMPLES[kind]
    file = write(f"import collections, types, torch\n{NET}\nclass Own(Net):\n    {member}\n")
    loaded = load(Request(f"{file}:Own"), on_meta=True)
    assert loaded.inputs.batch == batch
    assert loaded.inputs.describe() == (described,)
    assert counted(loaded).flops == batch * 64 * 27 * 4
    assert load(Request(f"{file}:Own", size=16), on_meta=True).inputs.describe() == ("1x3x16x16:float32",)


def test_a_detector_may_take_a_dictionary(write: Write) -> None:
    file = write(
        """
        import torch
        from torch import nn

        class Detector(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Conv2d(3, 4, 3, padding=1)

            def forward(self, batch):
                found = self.backbone(batch["image"])
                return {"boxes": found.mean((2, 3)), "sizes": batch["sizes"]}

            def example_inputs(self):
                return ({"image": torch.zeros(2, 3, 8, 8), "sizes": [(8, 8), (8, 8)]},)
        """
    )
    loaded = load(Request(f"{file}:Detector"), on_meta=True)
    assert loaded.inputs.describe() == ("2x3x8x8:float32",)
    assert counted(loaded).flops == 2 * 64 * 27 * 4


def test_half_precision_reaches_the_model_and_its_floating_inputs(write: Write) -> None:
    file = write(
        f"import torch\n{NET}\nclass Own(Net):\n    def example_inputs(self): return (torch.zeros(1, 3, 8, 8),)\n"
    )
    cast = load(Request(f"{file}:Own"), on_meta=True).cast(torch.float16)
    assert cast.inputs.describe() == ("1x3x8x8:float16",)
    assert counted(cast).params_bytes == 2 * 112


# Exported programs.


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor, *, scale: Tensor) -> Tensor:
        return self.conv(x) * scale


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.pt2"
    exported = torch.export.export(Scaled().eval(), (torch.rand(2, 3, 8, 8),), {"scale": torch.rand(1)})
    torch.export.save(exported, path)
    return path


def test_an_exported_program_is_counted_with_the_inputs_it_was_exported_with(program: Path) -> None:
    loaded = load(Request(f"exported:{program}"), on_meta=True)
    assert loaded.inputs.describe() == ("2x3x8x8:float32", "scale=1:float32")
    found = counted(loaded)
    assert (found.flops, found.params, found.path, found.uncounted) == (2 * 64 * 27 * 4, 112, "meta", ())


def test_an_exported_program_is_profiled_as_it_was_exported(program: Path) -> None:
    assert profiler.count(Job(f"exported:{program}", {})).workload.mode == "eval"


def exported(model: nn.Module) -> nn.Module:
    return torch.export.export(model, (torch.rand(2, 3, 8, 8),)).module()


TORCH_WARNING = "ignore:`isinstance:FutureWarning"  # torch's copy of a graph warns about its own pytrees


@pytest.mark.filterwarnings(TORCH_WARNING)
@pytest.mark.parametrize("trains", [True, False])
def test_an_exported_program_has_the_mode_of_its_graph_and_keeps_it(trains: bool) -> None:
    program = exported(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train(trains))
    copied = user.copied(program, "mine")
    assert modes.evaluating(copied) is copied
    set_mode(copied, train=trains)
    with pytest.raises(UserError, match="export it in the other mode"):
        set_mode(copied, train=not trains)


@pytest.mark.filterwarnings(TORCH_WARNING)
@pytest.mark.parametrize("trains", [True, False])
def test_an_exported_program_in_which_nothing_asks_takes_either_mode(trains: bool) -> None:
    program = user.copied(exported(nn.Conv2d(3, 4, 3)), "mine")
    set_mode(program, train=trains)
    assert program.training is trains


def test_an_exported_program_is_already_built(program: Path) -> None:
    assert "takes no --arg" in error_of(Request(f"exported:{program}", {"width": 8}))


def rewritten(program: Path, to: Path, change: Callable[[str, bytes], bytes], more: str | None = None) -> Path:
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        if more is not None:
            new.writestr(f"model/{more}", b"")
    return to


def test_an_archive_with_something_pickled_is_refused(program: Path, tmp_path: Path) -> None:
    def pickle(name: str, data: bytes) -> bytes:
        return data.replace(b'"tensor_meta": {', b'"tensor_meta": null, "was": {') if "weights_config" in name else data

    path = rewritten(program, tmp_path / "model.pt2", pickle)
    message = error_of(Request(f"exported:{path}"))
    assert "pickled" in message
    assert "conv.weight" in message


def test_an_archive_with_a_compiled_library_is_refused(program: Path, tmp_path: Path) -> None:
    path = rewritten(program, tmp_path / "model.pt2", lambda _, data: data, "data/aotinductor/model/model.so")
    assert "compiled library" in error_of(Request(f"exported:{path}"))


def test_nothing_is_unpickled_where_torch_itself_would(program: Path, tmp_path: Path) -> None:
    """Torch reads the example inputs as tensors and, if that fails, unpickles them."""
    mark = tmp_path / "ran"
    opcodes = b"cos\nmkdir\n(S'" + str(mark).encode() + b"'\ntR."  # a pickle that makes a folder
    inner = tmp_path / "inner.pt"
    with zipfile.ZipFile(inner, "w") as archive:
        for name, data in (("data.pkl", opcodes), ("version", b"3\n"), ("byteorder", b"little")):
            archive.writestr(f"inner/{name}", data)
    evil = inner.read_bytes()
    path = rewritten(program, tmp_path / "model.pt2", lambda name, data: evil if "sample_inputs" in name else data)
    message = error_of(Request(f"exported:{path}"))
    assert "cannot be loaded as an exported program" in message
    assert not mark.exists()


# User errors.


def test_an_async_factory_is_told_and_nobody_is_left_waiting(write: Write) -> None:
    file = write("async def build():\n    return None\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "is an async function: name one that returns" in error_of(Request(f"{file}:build", size=8))
        gc.collect()


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("{net}:Nte", {}, "has no factory 'Nte'. Did you mean 'Net'?"),
        ("{net}:zzz", {}, "has no factory 'zzz'. It defines Net, wide."),
        ("{net}:", {}, "has no factory ''"),
        ("{net}:wide", {}, "argument: 'width'. Give arguments with --arg name=value."),
        ("{net}:Net", {"depth": 3}, "got an unexpected keyword argument 'depth'. Give arguments with --arg"),
        ("{folder}/none.py:Net", {}, "There is no file"),
        ("no_such_package.models:Net", {}, "there is no module 'no_such_package'"),
        ("torch.nn.no_such:Net", {}, "there is no module 'torch.nn.no_such'"),
        ("exported:{folder}/none.pt2", {}, "There is no file"),
        ("exported:{net}", {}, "is not a .pt2 archive: write one with torch.export.save"),
        ("{folder}/weights.pt", {}, "is a pickle, and loading a pickle can run any code: export the model"),
        ("weights.pth", {}, "is a pickle"),
        ("vovnet93", {}, "Did you mean"),
        ("vovnet39", {"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)  # fmt: skip
def test_a_wrong_reference_is_told_in_a_line_that_says_what_to_do(
    model: str, arguments: dict[str, Any], words: str, write: Write, tmp_path: Path
) -> None:
    net = write(NET)
    message = error_of(Request(model.format(net=net, folder=tmp_path), arguments, size=8))
    assert words in message
    assert "\n" not in message


def test_an_archive_that_is_none_is_told(write: Write) -> None:
    assert "is not an archive of torch.export.save" in error_of(Request(f"exported:{write('nothing', 'model.pt2')}"))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (("weights_config.json", "Weights_Config.json"), "two entries of one name"),
        (("weights_config.json", "weights_config.json"), "two entries of one name"),
        (("zeros",), "unpacks"),
        (("data/AOTInductor/model.so",), "compiled library"),
        (("MODEL_WEIGHTS_CONFIG.JSON",), "pickled"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_could_mean_one_thing_to_us_and_another_to_torch_is_refused(
    entries: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in entries:
            archive.writestr(
                f"m/{name}", b"0" * 10**6 if name == "zeros" else b'{"config": {"w": {"tensor_meta": null}}}'
            )
    assert words in error_of(Request(f"exported:{path}"))


@pytest.mark.parametrize("name", ["pretrained", "checkpoint_path"])
def test_no_weights_are_loaded_for_timm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(is_model=lambda _: True))
    assert f"--arg {name}=w.pth would load weights" in error_of(Request("timm:some", {name: "w.pth"}))


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [({}, (3, 224, 224)), ({"img_size": 384}, (3, 384, 384)), ({"in_chans": 1, "drop_rate": 0.1}, (1, 224, 224))],
)
def test_the_image_for_a_model_of_timm_is_the_one_that_its_arguments_speak_of(
    arguments: dict[str, Any], shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Configured(nn.Identity):
        pretrained_cfg: ClassVar = {"input_size": (3, 224, 224)}  # timm always keeps the default here

    def create_model(_name: str, **_arguments: object) -> nn.Module:
        return Configured()

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(is_model=lambda _: True, create_model=create_model))
    (image,) = load(Request("timm:some", arguments), on_meta=True).inputs.args
    assert tuple(image.shape) == (1, *shape)


@pytest.mark.parametrize("config", [b"{}", b"[]", b"3", b'{"config": [1]}', b'{"config": {"w": 1}}', b"[" * 9999])
def test_an_archive_of_another_form_is_told(config: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data/weights/model_weights_config.json", config)
    message = error_of(Request(f"exported:{path}"))
    assert "is not an archive of torch.export.save: model/data/weights/model_weights_config.json" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def build():\n    return 3", "returned int, not a torch.nn.Module"),
        ("from torch import nn\ndef build():\n    return nn.Linear", "returned type, not a torch.nn.Module"),
        ("def build()\n    return 3", "SyntaxError: expected ':'"),
        ("import sys\nsys.exit('usage: net.py FILE')", "failed: SystemExit: usage: net.py FILE."),
        ("import no_such_library", "No module named 'no_such_library'"),
        ("def build():\n    raise KeyError('no such width')", "KeyError: 'no such width'"),
    ],
)
def test_what_the_users_code_does_wrong_is_told_in_its_own_words(text: str, words: str, write: Write) -> None:
    assert words in error_of(Request(f"{write(text)}:build", size=8))


def test_a_traceback_is_cut_to_the_users_own_frames(write: Write) -> None:
    write("def deep():\n    return 1 / 0\n", "neighbour_deep.py")
    file = write(
        """
        import torch
        from torch import nn
        from neighbour_deep import deep

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.apply(lambda _: deep())
        """
    )
    message = error_of(Request(f"{file}:Net", size=8))
    lines = message.splitlines()
    assert lines[0] == f"{file}:Net failed: ZeroDivisionError: division by zero."
    assert message.count("division by zero") == 1
    assert [line.split('"')[1] for line in lines if line.startswith('  File "')] == [
        file,
        file,
        file.replace("net", "neighbour_deep"),
    ]


def test_a_folder_beside_ours_is_the_users(tmp_path: Path) -> None:
    """Its name starts with our package name."""
    import backbone_bench

    beside = Path(backbone_bench.__file__).parent.with_name("backbone_bench_of_mine") / "net.py"
    code = compile("def build():\n    raise ValueError('mine')", str(beside), "exec")
    space: dict[str, Any] = {}
    exec(code, space)
    with pytest.raises(UserError, match="backbone_bench_of_mine"):
        user.run(space["build"], "mine")


@pytest.mark.parametrize("name", ["timm", "torchvision"])
def test_an_extra_that_is_not_installed_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    message = error_of(Request(f"{name}:resnet50"))
    assert f"backbone-bench[{name}]" in message


@pytest.mark.parametrize(
    ("own", "request_of", "words"),
    [
        ("pass", {}, "does not say what it takes: give --input 3x224x224"),
        ("def example_inputs(self): return ('x',)", {}, "hold no tensor"),
        ("def example_inputs(self): return (torch.zeros(4, 3, 8, 8),)", {"batch": 3}, "a batch of 4, not 3"),
        ("def example_inputs(self): return torch.zeros(-1)", {}, "example_inputs() failed: RuntimeError: zeros"),
        (
            "pass",
            {"inputs": (TensorSpec((3, 8), "float23"),)},
            "'float23' is not a type of torch. Did you mean 'float32'",
        ),
    ],
)  # fmt: skip
def test_inputs_that_nobody_knows_are_asked_for(own: str, request_of: dict[str, Any], words: str, write: Write) -> None:
    file = write(f"import collections, types, torch\n{NET}\nclass Own(Net):\n    {own}\n")
    assert words in error_of(Request(f"{file}:Own", **request_of))


def test_inputs_of_the_wrong_rank_are_told_with_the_models_own_error(write: Write) -> None:
    command = [sys.executable, "-m", "backbone_bench", "count", f"{write(NET)}:Net", "--input", "3x8"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "called with 1x3x8:float32 failed" in ran.stderr
    assert "conv" in ran.stderr
    assert "site-packages" not in ran.stderr
