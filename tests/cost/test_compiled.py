"""Compiled functions and modules inside a model: counted as written, and compiled as before afterwards."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from backbone_bench import cost

pytestmark = pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
IMAGE = torch.ones(1, 3, 8, 8, device="meta")
CONVOLUTION = 8 * 6 * 6 * 3 * 3 * 3


class Compiler:
    """A backend that notes how often it compiles, and how often what it compiled is called."""

    def __init__(self) -> None:
        self.compiled = self.called = 0

    def __call__(self, graph, inputs):
        self.compiled += 1

        def run(*arguments):
            self.called += 1
            return graph(*arguments)

        return run


@pytest.fixture
def compiler():
    torch.compiler.reset()
    yield Compiler()
    torch.compiler.reset()


def doubled(x: Tensor) -> Tensor:
    return torch.relu(x) * 2


class Helped(nn.Module):
    """A convolution, and a helper that may be compiled."""

    def __init__(self, helper) -> None:
        super().__init__()
        self.conv, self.helper = nn.Conv2d(3, 8, 3), helper

    def forward(self, x: Tensor) -> Tensor:
        return self.helper(self.conv(x))


class CompilesItself(Helped):
    """Compiles its helper when it is first called."""

    def __init__(self, compiler) -> None:
        super().__init__(None)
        self.compiler = compiler

    def forward(self, x: Tensor) -> Tensor:
        self.helper = self.helper or torch.compile(doubled, backend=self.compiler)
        return super().forward(x)


class CompiledPart(Helped):
    """A compiled module in a model."""

    def __init__(self, compiler) -> None:
        super().__init__(doubled)
        compiled = torch.compile(self.conv, backend=compiler)
        assert isinstance(compiled, nn.Module)
        self.add_module("conv", compiled)


MODELS = {
    "function": lambda compiler: Helped(torch.compile(doubled, backend=compiler)),
    "whole graph": lambda compiler: Helped(torch.compile(doubled, backend=compiler, fullgraph=True)),
    "in forward": CompilesItself,
    "module": CompiledPart,
    "compiled in place": lambda compiler: _in_place(Helped(doubled), compiler),
    "disabled": lambda compiler: Helped(torch.compiler.disable(doubled)),
}


def _in_place(model: nn.Module, compiler) -> nn.Module:
    model.compile(backend=compiler)
    return model


@pytest.mark.parametrize("kind", MODELS)
def test_compiled_code_is_counted_as_written_and_compiles_afterwards(kind, compiler):
    model = MODELS[kind](compiler)
    found = cost.count(model, (IMAGE,))
    assert (found.flops, found.ops, found.path) == (CONVOLUTION, 3, "meta")
    compiler.compiled = compiler.called = 0
    with torch.no_grad():
        for _ in range(5):
            model(torch.ones(1, 3, 8, 8))
    assert (compiler.compiled, compiler.called) == ((0, 0) if kind == "disabled" else (1, 5))


FLEX = """
import sys, torch
from torch import nn
from backbone_bench import cost

class Flex(nn.Module):
    def forward(self, q, k, v):
        from torch.nn.attention.flex_attention import flex_attention
        return flex_attention(q, k, v)

q = torch.ones(1, 2, 128, 16, device="meta")
assert "torch._dynamo" not in sys.modules
print(cost.count(Flex(), (q, q, q)).flops, cost.count(Flex(), (q, q, q)).flops)
"""


def test_flex_attention_is_counted_whether_or_not_the_compiler_was_loaded_before():
    """Torch before 2.13 has no formula for it; in a process of its own the first count loads the compiler."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FLEX], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(2 * 2 * 128 * 128 * 16)] * 2


def test_a_count_of_what_is_not_compiled_loads_no_compiler():
    code = (
        "import sys, torch; from backbone_bench import cost; "
        "cost.count(torch.nn.Conv2d(3, 8, 3), (torch.ones(1, 3, 8, 8, device='meta'),)); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
