"""Counting of models of many kinds: counts are right, what is not counted is named, and the model is restored."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from backbone_bench.cost import count
from backbone_bench.records import ModelCost

IMAGE = (1, 3, 8, 8)
FLOPS = 64 * 27 * 4  # of a 3x3 convolution with padding, 3 to 4 channels, on 8x8


class WithConv(nn.Module):
    """Base of most cases: a module with one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)


class Conv(WithConv):
    def forward(self, x: Tensor) -> Any:
        return self.conv(x)


class InDict(WithConv):
    def forward(self, x: Tensor) -> Any:
        return {"map": self.conv(x), "nothing": None}


@dataclass
class Detection:
    """Output of a detector."""

    map: Tensor
    size: int


class InDataclass(WithConv):
    def forward(self, x: Tensor) -> Any:
        return Detection(self.conv(x), 8)


class InTuple(WithConv):
    def forward(self, x: Tensor) -> Any:
        return self.conv(x), (None, [x])


class FromDict(WithConv):
    def forward(self, x: Mapping[str, Any]) -> Any:
        return self.conv(x["inner"]["image"])


class FromList(WithConv):
    def forward(self, x: list[Tensor]) -> Any:
        return [self.conv(part[None]) for part in x]


class FromDataclass(WithConv):
    def forward(self, x: Detection) -> Any:
        return self.conv(x.map)


class ByKeyword(WithConv):
    def forward(self, *, image: Tensor, flag: bool = True) -> Any:
        return self.conv(image) if flag else None


class OnShape(WithConv):
    def forward(self, x: Tensor) -> Any:
        return self.conv(x) if x.shape[-1] > 4 else x


class OnValues(WithConv):
    def forward(self, x: Tensor) -> Any:
        return self.conv(x) if x.sum().item() < 1e9 else x


class Subclassed(nn.Conv2d):
    """A user's subclass of a convolution."""


class Direct(WithConv):
    def forward(self, x: Tensor) -> Any:
        return self.conv.forward(x)


class Aliased(WithConv):
    """One module under two names, called by both."""

    def __init__(self) -> None:
        super().__init__()
        self.again = self.conv

    def forward(self, x: Tensor) -> Any:
        return self.conv(x), self.again(x)


class Tied(nn.Module):
    """One weight in two modules, as language models have it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(10, 16), nn.Linear(16, 10, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Any:
        return self.head(self.embedding(x))


class Spare(Conv):
    """A submodule that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(5, 7)


class Checkpointed(WithConv):
    def forward(self, x: Tensor) -> Any:
        return checkpoint(self.conv, x, use_reentrant=False)


class Doubled(torch.autograd.Function):
    """A function with its own gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] * 2


class WithFunction(WithConv):
    def forward(self, x: Tensor) -> Any:
        return Doubled.apply(self.conv(x))


class Undecorated(WithConv):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Any:
        return self.conv(x)


class LeavesInference(WithConv):
    def forward(self, x: Tensor) -> Any:
        with torch.inference_mode(False), torch.no_grad():
            return self.conv(x.clone())


class Mapped(WithConv):
    """The convolution under `vmap`."""

    def forward(self, x: Tensor) -> Any:
        return torch.vmap(self.conv)(x[None])


class HoldsTensor(WithConv):
    """A tensor that is neither parameter nor buffer, and a list of them."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.rand(4, 1, 1)
        self.shifts = [torch.rand(4, 1, 1)]

    def forward(self, x: Tensor) -> Any:
        return self.conv(x) * self.scale + self.shifts[0]


class Hidden(nn.Module):
    """A module in a plain list, where torch does not look."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [nn.Conv2d(3, 4, 3, padding=1)]

    def forward(self, x: Tensor) -> Any:
        return self.parts[0](x)


class Caching(WithConv):
    """A model that caches its output: in an attribute, a list, a dictionary, a buffer and a hook."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Tensor | None = None
        self.seen: list[Tensor] = []
        self.tables: dict[int, Tensor] = {}

    def forward(self, x: Tensor) -> Any:
        self.kept = self.conv(x)
        self.seen.append(self.kept)
        self.tables[x.shape[-1]] = self.kept
        self.positions = self.kept
        self.register_buffer("made", self.kept)
        self.register_forward_hook(lambda *_: None)
        self.conv.eval()
        return self.kept


class Trains(WithConv):
    """A model for training: batch statistics change, dropout is random."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm2d(4), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Any:
        return self.drop(self.norm(self.conv(x)))


class TrainsOnValues(Trains):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x) if x.sum().item() < 1e9 else x


def normed(norm: Callable[..., Any], *more: Any) -> nn.Module:
    return norm(nn.Conv2d(3, 4, 3, padding=1), *more)


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):  # deprecated, but still in use
        return nn.utils.weight_norm(nn.Conv2d(3, 4, 3, padding=1))


def scripted() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()))


def traced() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.trace(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()), torch.rand(IMAGE))


def compiled(model: nn.Module) -> nn.Module:
    made: nn.Module = torch.compile(model, backend="eager")  # type: ignore[assignment]  # torch annotates it as a function
    return made


def compiled_within() -> nn.Module:
    return nn.Sequential(compiled(Conv()), nn.ReLU())


def compiled_in_place() -> nn.Module:
    model = Conv()
    model.compile(backend="eager")
    return nn.Sequential(model)


def exported() -> nn.Module:
    return torch.export.export(Conv().eval(), (torch.rand(IMAGE),)).module()


def laid_out(model: Any, layout: torch.memory_format) -> nn.Module:
    made: nn.Module = model.to(memory_format=layout)
    return made


def complex_valued() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):  # torch warns that complex modules are rare
        return Conv().to(torch.complex64)


def sparse() -> nn.Module:
    model = Conv()
    model.register_buffer("index", torch.eye(3).to_sparse())
    return model


def half_trained() -> nn.Module:
    model = Trains()
    model.norm.eval()
    return model


class Case(NamedTuple):
    """A kind of model, its inputs, and its FLOPs by hand."""

    build: Callable[[], nn.Module]
    flops: int = FLOPS
    args: tuple[Any, ...] = (torch.rand(IMAGE),)
    kwargs: Mapping[str, Any] = MappingProxyType({})
    path: str = "meta"


CASES = {
    "dict out": Case(InDict), "dataclass out": Case(InDataclass), "tuple out": Case(InTuple),
    "dict in": Case(FromDict, args=({"inner": {"image": torch.rand(IMAGE)}, "name": "x"},)),
    "list in": Case(FromList, 2 * FLOPS, args=([torch.rand(3, 8, 8), torch.rand(3, 8, 8)],)),
    "dataclass in": Case(FromDataclass, args=(Detection(torch.rand(IMAGE), 8),)),
    "meta in dataclass": Case(FromDataclass, args=(Detection(torch.empty(IMAGE, device="meta"), 8),)),
    "keyword in": Case(ByKeyword, args=(), kwargs={"image": torch.rand(IMAGE)}),
    "shape branch": Case(OnShape), "value branch": Case(OnValues, path="cpu"),
    "meta in, value branch": Case(OnValues, args=(torch.empty(IMAGE, device="meta"),), path="cpu"),
    "subclass": Case(lambda: Subclassed(3, 4, 3, padding=1)), ".forward()": Case(Direct),
    "aliased": Case(Aliased, 2 * FLOPS), "tied": Case(Tied, 6 * 160, args=(torch.zeros(2, 3, dtype=torch.long),)),
    "spare part": Case(Spare), "batch of 4": Case(Conv, 4 * FLOPS, args=(torch.rand(4, 3, 8, 8),)),
    "checkpoint": Case(Checkpointed), "autograd.Function": Case(WithFunction), "no_grad": Case(Undecorated),
    "inference_mode(False)": Case(LeavesInference), "vmap": Case(Mapped), "plain tensors": Case(HoldsTensor),
    "hidden in a list": Case(Hidden), "caching": Case(Caching),
    "half": Case(lambda: Conv().half(), args=(torch.rand(IMAGE).half(),)),
    "bfloat16": Case(lambda: Conv().bfloat16(), args=(torch.rand(IMAGE).bfloat16(),)),
    "complex": Case(complex_valued, 4 * FLOPS, args=(torch.rand(IMAGE, dtype=torch.complex64),)),
    "channels-last": Case(lambda: laid_out(Conv(), torch.channels_last),
                          args=(torch.rand(IMAGE).to(memory_format=torch.channels_last),)),
    "training": Case(Trains), "training for real": Case(TrainsOnValues, path="cpu"),
    "half in training": Case(half_trained),
    "frozen": Case(lambda: Conv().requires_grad_(False)),
    "weight_norm": Case(lambda: normed(parametrizations.weight_norm)), "old weight_norm": Case(old_weight_norm),
    "spectral_norm": Case(lambda: normed(parametrizations.spectral_norm), FLOPS + 3 * 108 + 4),  # one power iteration
    "lazy": Case(lambda: nn.Sequential(nn.LazyConv2d(4, 3, padding=1), nn.LazyBatchNorm2d())),
    "scripted": Case(scripted, path="cpu"), "traced": Case(traced, path="cpu"),
    "scripted within": Case(lambda: nn.Sequential(scripted(), nn.Conv2d(4, 4, 1)), FLOPS + 64 * 16, path="cpu"),
    "compiled": Case(lambda: compiled(Conv())), "compiled within": Case(compiled_within),
    "compiled in place": Case(compiled_in_place), "exported": Case(exported),
    "DataParallel": Case(lambda: nn.DataParallel(Conv())), "sparse buffer": Case(sparse, path="cpu"),
}  # fmt: skip


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Assert that nothing of the model or the process changed."""
    before = snapshot(model)
    yield
    after = snapshot(model)
    assert after.keys() == before.keys()
    for key, value in before.items():
        assert _same(value, after[key]), key


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return (
            before.device == after.device
            and before.dtype == after.dtype
            and before.layout == after.layout
            and torch.equal(before.to_dense().nan_to_num(), after.to_dense().nan_to_num())
        )
    return before is after or bool(before == after)


def snapshot(model: nn.Module) -> dict[str, Any]:
    """Identities, values and modes of a model's attributes, and the process's flags."""
    state: dict[str, Any] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        for key, value in vars(module).items():
            state[f"{name}/{key}"] = id(value) if key != "training" else value
            if isinstance(value, (dict, list, set)):
                state[f"{name}/{key}/items"] = [
                    id(item) for item in (value.values() if isinstance(value, dict) else value)
                ]
        state[f"{name}/class"] = type(module)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        lazy = is_lazy(tensor)
        state[f"{name}=value"] = None if lazy else tensor.detach().clone()
        state[f"{name}=gradient"] = tensor.requires_grad, tensor.grad
    state["keys"] = list(model.state_dict())
    state["process"] = (
        torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype(),
        torch.backends.mkldnn.enabled, torch.backends.mha.get_fastpath_enabled(),
        torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.math_sdp_enabled(),
        len(torch.nn.modules.module._global_forward_hooks), len(torch.nn.modules.module._global_forward_pre_hooks),
        torch._C._len_torch_dispatch_stack(), torch._C._len_torch_function_stack(),
    )  # fmt: skip
    state["random"] = torch.get_rng_state()
    return state


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_model_of_any_make_is_counted_the_same_each_time_and_left_as_it_was_found(case: Case) -> None:
    model = case.build()
    with unchanged(model):
        cost = count(model, case.args, case.kwargs)
        assert count(model, case.args, case.kwargs) == cost
    assert (cost.flops, cost.path) == (case.flops, case.path)


# Operations that cannot be counted.


class Conditional(WithConv):
    def forward(self, x: Tensor) -> Any:
        return torch.cond(x.sum() > 0, self.conv, lambda x: 2 * self.conv(x), (x,))


class Transformed(WithConv):
    def forward(self, x: Tensor) -> Any:
        return torch.fft.rfft(self.conv(x))


def test_an_operation_without_a_formula_is_named_with_its_share_of_the_traffic() -> None:
    cost = count(Transformed(), [torch.rand(IMAGE)])
    (unknown,) = cost.uncounted
    moved = 4 * 64 + 4 * 8 * 5  # in and out
    assert (unknown.op, unknown.calls, unknown.traffic_share) == ("_fft_r2c", 1, moved / cost.traffic_elems)
    assert cost.flops == FLOPS


def test_what_happens_within_an_operation_on_functions_is_told_as_not_counted() -> None:
    assert [unknown.op for unknown in count(Conditional(), [torch.rand(IMAGE)]).uncounted] == ["cond"]


class Fails(WithConv):
    """A model with a bug of its own, which raises after it stored something."""

    def forward(self, x: Tensor) -> Any:
        self.kept = self.conv(x)
        return self.conv(self.kept)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_model_that_fails_raises_its_own_error_and_is_left_as_it_was_found(device: str) -> None:
    model, image = Fails().to(device), torch.rand(IMAGE, device=device)
    with pytest.raises(RuntimeError) as own:
        model(image)
    del model.kept
    with unchanged(model) if device == "cpu" else contextlib.nullcontext():
        with pytest.raises(RuntimeError) as error:
            count(model, [image])
        assert str(error.value) == str(own.value)
    assert not hasattr(model, "kept")


def test_what_the_model_raises_of_its_own_is_not_changed() -> None:
    class Refuses(WithConv):
        def forward(self, x: Tensor) -> Any:
            raise KeyError("no such head")

    with pytest.raises(KeyError, match="no such head"):
        count(Refuses(), [torch.rand(IMAGE)])


# Details of the counts.


class Force(nn.Module):
    """A model whose output is a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = nn.Linear(3, 1, bias=False)

    def forward(self, x: Tensor) -> Any:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(self.energy(x).sum(), x)[0]


def test_a_gradient_that_the_model_takes_is_counted() -> None:
    assert count(Force(), [torch.rand(2, 3)]).flops == 2 * 3 + 2 * 3


class OnLeft(nn.Module):
    """A product with a parameter on the left, as in token mixers."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.rand(6, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.mix @ x


def test_a_parameter_on_the_left_of_a_product_is_a_layer() -> None:
    cost = count(OnLeft(), [torch.rand(2, 5, 8)], batch=2)
    assert cost.flops == 2 * 6 * 5 * 8
    assert cost.access_elems == 5 * 8 + 6 * 8 + 6 * 5


class Grouped(nn.Module):
    """Grouped-query attention: eight query heads share two key and value heads."""

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(query, key, key, is_causal=True, enable_gqa=True)


def test_grouped_queries_save_keys_not_arithmetic() -> None:
    query, key = torch.rand(1, 8, 5, 4), torch.rand(1, 2, 7, 4)
    cost = count(Grouped(), [query, key])
    assert cost.flops == 2 * (8 * 5 * 7 * 4)
    assert cost.traffic_elems == 2 * query.numel() + 2 * key.numel()


@pytest.mark.parametrize(
    ("build", "params"),
    [
        (Spare, 112 + 42), (Aliased, 112), (Tied, 160), (lambda: Conv().requires_grad_(False), 112),
        (lambda: nn.LazyConv2d(4, 3, padding=1), 112), (scripted, 112), (lambda: nn.DataParallel(Conv()), 112),
        (lambda: nn.Sequential(nn.BatchNorm2d(3)), 6), (lambda: normed(parametrizations.weight_norm), 116),
    ],
)  # fmt: skip
def test_parameters_are_counted_once_whether_they_learn_and_whether_they_are_used_or_not(
    build: Callable[[], nn.Module], params: int
) -> None:
    args = [torch.zeros(2, 3, dtype=torch.long)] if build is Tied else [torch.rand(IMAGE)]
    cost = count(build(), args)
    assert (cost.params, cost.params_bytes) == (params, 4 * params)


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (Conv, ["conv"]), (Direct, ["conv"]), (Aliased, ["conv"]), (Checkpointed, ["conv"]), (Hidden, [""]),
        (lambda: nn.DataParallel(Conv()), ["conv"]), (lambda: compiled(Conv()), ["conv"]),
        (compiled_within, ["0.conv", "1"]), (compiled_in_place, ["0.conv"]), (scripted, [""]),
        (lambda: nn.Sequential(Conv(), nn.Sequential(nn.ReLU())), ["0.conv", "1.0"]),
    ],
)  # fmt: skip
def test_an_operation_belongs_to_the_module_that_asked_for_it(build: Callable[[], nn.Module], names: list[str]) -> None:
    assert list(dict.fromkeys(row.module for row in count(build(), [torch.rand(IMAGE)]).by_op)) == names


def test_half_precision_halves_bytes_and_nothing_else() -> None:
    full, half = (count(Conv().to(dtype), [torch.rand(IMAGE).to(dtype)]) for dtype in (torch.float32, torch.float16))
    assert half.traffic_bytes * 2 == full.traffic_bytes
    assert half.params_bytes * 2 == full.params_bytes
    assert half.peak_activation_bytes * 2 == full.peak_activation_bytes  # type: ignore[operator]  # it is known
    assert (half.flops, half.traffic_elems, half.ops) == (full.flops, full.traffic_elems, full.ops)


def test_counts_do_not_depend_on_the_layout_of_memory() -> None:
    def cost(layout: torch.memory_format) -> ModelCost:
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
        return count(laid_out(model, layout), [torch.rand(IMAGE).to(memory_format=layout)])

    assert cost(torch.channels_last) == cost(torch.contiguous_format)


def test_training_and_evaluation_are_told_apart_module_by_module() -> None:
    def ops(model: nn.Module) -> dict[str, int]:
        return {row.op: row.traffic_elems for row in count(model, [torch.rand(2, 3, 8, 8)], batch=2).by_op}

    elems = 2 * 4 * 64
    training, mixed, evaluating = ops(Trains()), ops(half_trained()), ops(Trains().eval())
    assert training["batch_norm"] == 2 * elems + 4 * 4 + 2 * 4
    assert mixed["batch_norm"] == evaluating["batch_norm"] == 2 * elems + 4 * 4
    assert training["dropout"] == mixed["dropout"] == 2 * elems
    assert "dropout" not in evaluating


def test_a_users_hook_is_part_of_the_pass() -> None:
    model = Conv()
    model.conv.register_forward_hook(lambda _module, _args, out: out * 2)
    assert {row.op for row in count(model, [torch.rand(IMAGE)]).by_op} == {"convolution", "mul"}


class Pooled(Conv):
    """A model that runs its convolution in another thread."""

    def forward(self, x: Tensor) -> Tensor:
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(self.conv, x).result()


def test_what_runs_in_a_thread_of_its_own_is_refused_and_not_left_out() -> None:
    with pytest.raises(RuntimeError, match="conv runs in another thread"):
        count(Pooled().eval(), [torch.rand(IMAGE)])


def test_threads_count_one_model_as_one_does() -> None:
    model = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()) for _ in range(20))).eval()
    image = torch.rand(IMAGE)
    expected = count(model, [image])
    with unchanged(model), ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: count(model, [image]), range(12))) == [expected] * 12
