"""Every shape rule against torch's own meta kernel: same result, same memory, or torch's own error."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import permutations, product
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder
from backbone_bench.cost.rules import RULES, ShapeRules
from backbone_bench.records import OpCost

SETTINGS = settings(max_examples=60, deadline=None)

sizes = st.integers(1, 5)
floats = st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.float64])


class Call(NamedTuple):
    """A torch function with its arguments; `build` makes new ones for every call, because some are changed."""

    function: Callable[..., Any]
    build: Callable[[], tuple[Any, ...]]
    keywords: Mapping[str, Any] = MappingProxyType({})


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


class Outcome(NamedTuple):
    """Everything about a result that a caller can observe."""

    shape: torch.Size
    dtype: torch.dtype
    strides: tuple[int, ...]
    offset: int
    is_contiguous: bool
    same_as: list[bool]  # for each argument: is it the result
    shares_with: list[bool]  # for each argument: does the result share its memory


def outcome(call: Call) -> Outcome | tuple[type[BaseException], str]:
    """Result of the call, or the type and message of its error."""
    args = call.build()
    tensors = [arg for arg in _flat(args) if isinstance(arg, Tensor)]
    try:
        with warnings.catch_warnings(action="ignore"):  # torch gives some of them once per process
            out = call.function(*args, **call.keywords)
    except Exception as error:  # whatever torch raises is compared
        return type(error), str(error)
    return Outcome(
        out.shape, out.dtype, out.stride(), out.storage_offset(), out.is_contiguous(),
        [out is tensor for tensor in tensors],
        [out.untyped_storage()._cdata == tensor.untyped_storage()._cdata for tensor in tensors],
    )  # fmt: skip


def _flat(args: Sequence[Any]) -> list[Any]:
    return [item for arg in args for item in (arg if isinstance(arg, (list, tuple)) else [arg])]


class Account(NamedTuple):
    """What is observed of a call, and what was booked: rows and peak."""

    outcome: Outcome | tuple[type[BaseException], str]
    rows: tuple[OpCost, ...]
    peak_bytes: int


def under(mode: Callable[[Ledger], AbstractContextManager[Any]], call: Call) -> Account:
    ledger, args = Ledger([], list, 1), call.build()
    for tensor in tree_leaves(args):
        if isinstance(tensor, Tensor):
            ledger.track(tensor)
    with torch.inference_mode(), mode(ledger):
        found = outcome(Call(call.function, lambda: args, call.keywords))
    return Account(found, () if isinstance(found, tuple) and len(found) == 2 else ledger.rows(), ledger.peak_bytes)


def agrees(call: Call) -> None:
    """The rule, and the second time the memory, give and book what torch's kernel does under the recorder."""
    with torch.inference_mode():
        expected = outcome(call)
    recorded = under(Recorder, call)
    assert recorded.outcome == expected
    for _ in range(2):
        assert under(ShapeRules, call) == recorded


def answers(call: Call) -> bool:
    """Whether the rule itself gives the result and torch's kernel is not needed."""
    return RULES[call.function](Ledger([], list, 1), *call.build(), **call.keywords) is not None


# Convolutions.


@st.composite
def convolutions(draw: st.DrawFn) -> Call:
    """Mostly valid convolutions; some have wrong channels, empty maps, negative sizes or string padding."""
    n = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    ci, co = groups * draw(sizes), groups * draw(sizes)
    kernel = draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    x = (
        draw(st.integers(0, 3)),
        ci + draw(st.sampled_from([0, 0, 0, 1])),
        *draw(st.lists(st.integers(1, 9), min_size=n, max_size=n)),
    )
    w = (co, ci // groups, *kernel)
    bias = draw(st.sampled_from([None, co, co, co + 1]))
    window = st.one_of(
        st.integers(-1, 3), st.tuples(*[st.integers(0, 3)] * n), st.lists(st.integers(1, 2), min_size=1, max_size=n)
    )
    keywords = {
        "stride": draw(window), "dilation": draw(window), "groups": draw(st.sampled_from([groups, groups, groups, 0])),
        "padding": draw(st.one_of(window, st.sampled_from(["valid", "same", "odd"]))),
    }  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(list(keywords)), unique=True))
    dtype, other = draw(floats), draw(st.one_of(st.none(), floats))
    function = (torch.conv1d, torch.conv2d, torch.conv3d)[n - 1]

    def build() -> tuple[Any, ...]:
        return meta(*x, dtype=dtype), meta(*w, dtype=other or dtype), None if bias is None else meta(bias, dtype=dtype)

    return Call(function, build, {"groups": groups} | {name: keywords[name] for name in chosen})


@SETTINGS
@given(convolutions())
def test_a_convolution_is_torchs(call: Call) -> None:
    agrees(call)


# Linear layers and norms.


@SETTINGS
@given(
    st.lists(st.integers(0, 4), max_size=4),
    sizes,
    sizes,
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([None, 0, 0, 1]),
    floats,
)
def test_a_linear_layer_is_torchs(
    front: list[int], ci: int, co: int, wrong: int, bias: int | None, dtype: torch.dtype
) -> None:
    agrees(
        Call(
            F.linear,
            lambda: (
                meta(*front, ci, dtype=dtype),
                meta(co, ci + wrong, dtype=dtype),
                None if bias is None else meta(co + bias, dtype=dtype),
            ),
        )
    )


@st.composite
def batch_norms(draw: st.DrawFn) -> Call:
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
    channels = (shape[1] if len(shape) > 1 else 1) + draw(st.sampled_from([0, 0, 0, 1]))
    present = draw(st.lists(st.booleans(), min_size=4, max_size=4))
    dtype, state = draw(floats), draw(floats)
    same = draw(st.booleans())
    keywords = {
        "training": draw(st.booleans()), "momentum": draw(st.sampled_from([0.1, 0.0, None])),
        "eps": draw(st.sampled_from([1e-5, 0.0, -1.0])),
    }  # fmt: skip

    def build() -> tuple[Any, ...]:
        tensors = [meta(channels, dtype=dtype if same else state) if there else None for there in present]
        return meta(*shape, dtype=dtype), *tensors

    return Call(F.batch_norm, build, keywords)


@SETTINGS
@given(batch_norms())
def test_a_batch_norm_is_torchs(call: Call) -> None:
    agrees(call)


@SETTINGS
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 4), st.booleans(), st.booleans(), floats)
def test_a_layer_norm_is_torchs(shape: list[int], over: int, weight: bool, wrong: bool, dtype: torch.dtype) -> None:
    normalized = shape[len(shape) - over :] if over <= len(shape) else [*shape, 1]
    affine = [*normalized[:-1], normalized[-1] + wrong] if normalized else []

    def build() -> tuple[Any, ...]:
        return meta(*shape, dtype=dtype), normalized, meta(*affine, dtype=dtype) if weight else None

    agrees(Call(F.layer_norm, build))


# Pools.


@st.composite
def pools(draw: st.DrawFn) -> Call:
    shape = draw(st.lists(st.integers(0, 7), min_size=3, max_size=5))
    either = st.one_of(st.integers(-1, 4), st.tuples(st.integers(1, 4), st.integers(0, 4)))
    function: Any = draw(st.sampled_from([F.max_pool2d, F.avg_pool2d, torch.max_pool2d]))
    keywords = {
        "stride": draw(st.one_of(st.none(), either)), "padding": draw(either), "ceil_mode": draw(st.booleans()),
    }  # fmt: skip
    if function is not F.avg_pool2d:
        keywords["dilation"] = draw(either)
    chosen = draw(st.lists(st.sampled_from(list(keywords)), unique=True))
    kernel, dtype = draw(either), draw(floats)
    return Call(function, lambda: (meta(*shape, dtype=dtype), kernel), {name: keywords[name] for name in chosen})


@SETTINGS
@given(pools())
def test_a_pool_is_torchs(call: Call) -> None:
    agrees(call)


@SETTINGS
@given(
    st.lists(st.integers(0, 7), min_size=2, max_size=5),
    st.one_of(st.integers(-1, 4), st.tuples(st.one_of(st.none(), st.integers(0, 4)), st.integers(0, 4))),
    floats,
)
def test_an_adaptive_pool_is_torchs(shape: list[int], size: Any, dtype: torch.dtype) -> None:
    agrees(Call(F.adaptive_avg_pool2d, lambda: (meta(*shape, dtype=dtype), size)))


# Element by element.

ACTIVATIONS = [
    Call(F.relu, lambda: ()), Call(F.relu6, lambda: ()), Call(F.silu, lambda: ()), Call(F.mish, lambda: ()),
    Call(F.selu, lambda: ()), Call(F.hardswish, lambda: ()), Call(F.hardsigmoid, lambda: ()),
    Call(F.leaky_relu, lambda: (), {"negative_slope": 0.1}), Call(F.elu, lambda: (), {"alpha": 2}),
    Call(F.hardtanh, lambda: (), {"min_val": 0.0, "max_val": 6.0}), Call(F.hardtanh, lambda: (), {"min_val": 2.0}),
    Call(F.leaky_relu, lambda: (), {"negative_slope": "steep"}),
]  # fmt: skip
shapes = st.lists(st.integers(0, 4), max_size=5)


@SETTINGS
@given(st.sampled_from(ACTIVATIONS), shapes, st.one_of(st.none(), st.booleans()), floats)
def test_an_activation_is_torchs(call: Call, shape: list[int], inplace: bool | None, dtype: torch.dtype) -> None:
    keywords = call.keywords if inplace is None else {**call.keywords, "inplace": inplace}
    agrees(Call(call.function, lambda: (meta(*shape, dtype=dtype),), keywords))


PLAIN = [torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid,
         Tensor.sigmoid_, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_, F.gelu]  # fmt: skip


@SETTINGS
@given(st.sampled_from(PLAIN), shapes, st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.bool]))
def test_a_function_of_one_tensor_is_torchs(function: Any, shape: list[int], dtype: torch.dtype) -> None:
    agrees(Call(function, lambda: (meta(*shape, dtype=dtype),)))


@pytest.mark.parametrize("approximate", ["none", "tanh", "erf"])
def test_gelu_knows_torchs_approximations(approximate: str) -> None:
    agrees(Call(F.gelu, lambda: (meta(2, 3),), {"approximate": approximate}))


ARITHMETIC = [getattr(owner, name) for owner in (torch, Tensor) for name in ("add", "sub", "mul", "div")]
UPDATES = [getattr(Tensor, name) for name in ("add_", "sub_", "mul_", "div_")]


@st.composite
def arithmetic(draw: st.DrawFn) -> Call:
    shape = draw(shapes)
    kinds = st.sampled_from([torch.float32, torch.float32, torch.float16, torch.int32, torch.bool, torch.complex64])
    dtype, other_dtype = draw(kinds), draw(kinds)
    other_shape = [1 if draw(st.booleans()) and draw(st.booleans()) else size for size in shape][
        draw(st.integers(0, 1)) :
    ]
    number = draw(st.one_of(st.none(), st.none(), st.sampled_from([2, 0.5, True, 1j, "x", None])))
    keywords: dict[str, Any] = draw(st.sampled_from([{}, {}, {"alpha": 2}, {"rounding_mode": "floor"}]))
    transposed = number is None and draw(st.booleans())

    def build() -> tuple[Any, ...]:
        other = meta(*other_shape, dtype=other_dtype) if number is None else number
        return (other, meta(*shape, dtype=dtype)) if transposed else (meta(*shape, dtype=dtype), other)

    return Call(draw(st.sampled_from(ARITHMETIC + UPDATES)), build, keywords)


@SETTINGS
@given(arithmetic())
def test_arithmetic_is_torchs(call: Call) -> None:
    agrees(call)


# Joining, padding, averaging, and views.


@SETTINGS
@given(st.lists(shapes, min_size=0, max_size=3), st.integers(-3, 3), st.booleans(), floats)
def test_a_join_is_torchs(parts: list[list[int]], dim: int, alike: bool, dtype: torch.dtype) -> None:
    chosen = [parts[0]] * len(parts) if alike and parts else parts
    agrees(Call(torch.cat, lambda: ([meta(*shape, dtype=dtype) for shape in chosen], dim)))


@SETTINGS
@given(shapes, st.lists(st.integers(-2, 2), max_size=6), st.sampled_from(["constant", "reflect", "replicate"]), floats)
def test_padding_is_torchs(shape: list[int], pad: list[int], mode: str, dtype: torch.dtype) -> None:
    agrees(Call(F.pad, lambda: (meta(*shape, dtype=dtype), pad), {"mode": mode}))


@SETTINGS
@given(
    shapes,
    st.one_of(st.none(), st.integers(-5, 5), st.lists(st.integers(-4, 4), max_size=3)),
    st.booleans(),
    st.sampled_from([torch.mean, Tensor.mean]),
)
def test_a_mean_is_torchs(shape: list[int], dim: Any, keepdim: bool, function: Any) -> None:
    agrees(Call(function, lambda: (meta(*shape), dim), {"keepdim": keepdim}))


@SETTINGS
@given(shapes, st.sampled_from([0.0, 0.5, 1.0, -0.5, 1.5]), st.booleans(), st.booleans())
def test_dropout_is_torchs(shape: list[int], p: float, training: bool, inplace: bool) -> None:
    agrees(Call(F.dropout, lambda: (meta(*shape),), {"p": p, "training": training, "inplace": inplace}))


@SETTINGS
@given(shapes, st.integers(-4, 4), st.integers(-4, 4), st.sampled_from([torch.flatten, Tensor.flatten]))
def test_flattening_is_torchs(shape: list[int], start: int, end: int, function: Any) -> None:
    agrees(Call(function, lambda: (meta(*shape), start, end)))


places = st.one_of(st.none(), st.just(...), st.integers(-2, 2), st.slices(4), st.booleans())


@SETTINGS
@given(
    shapes,
    st.one_of(places, st.lists(places, max_size=3).map(tuple), st.lists(st.integers(0, 1), min_size=1, max_size=2)),
)
def test_a_place_is_torchs(shape: list[int], place: Any) -> None:
    agrees(Call(Tensor.__getitem__, lambda: (meta(*shape), place)))


@SETTINGS
@given(shapes, st.booleans())
def test_making_contiguous_is_torchs(shape: list[int], transposed: bool) -> None:
    agrees(Call(Tensor.contiguous, lambda: (meta(*shape).T if transposed and len(shape) == 2 else meta(*shape),)))


# Products, softmax, and other moves of elements.


@st.composite
def products(draw: st.DrawFn) -> Call:
    batch = draw(st.lists(st.integers(0, 3), max_size=3))
    n, k, m = draw(sizes), draw(sizes), draw(sizes)
    left = [*batch, n, k]
    right = [*draw(st.sampled_from([batch, batch, [], [1] * len(batch), batch[1:]])), k, m]
    wrong = draw(st.sampled_from([0, 0, 0, 1]))
    left_order, right_order = (draw(st.permutations(range(len(shape)))) for shape in (left, right))
    dtype, other = draw(floats), draw(st.one_of(st.none(), floats))
    right[-2] += wrong

    def build() -> tuple[Any, ...]:
        return ordered(left, left_order, dtype), ordered(right, right_order, other or dtype)

    functions: list[Any] = [torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm]
    return Call(draw(st.sampled_from(functions)), build)


def ordered(shape: Sequence[int], order: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """A dense tensor of this shape whose dimensions lie in memory in this order."""
    return meta(*(shape[dim] for dim in order), dtype=dtype).permute([order.index(dim) for dim in range(len(shape))])


@SETTINGS
@given(products())
def test_a_product_is_torchs(call: Call) -> None:
    agrees(call)


@st.composite
def attentions(draw: st.DrawFn) -> Call:
    n = draw(st.integers(2, 5))
    batch, (rows, keys, depth, width) = [draw(sizes) for _ in range(n - 2)], [draw(sizes) for _ in range(4)]
    shapes = [[*batch, rows, depth], [*batch, keys, depth], [*batch, keys, width]]
    draw(st.sampled_from(shapes))[draw(st.integers(0, n - 1))] += draw(st.sampled_from([0, 0, 0, 1]))
    orders = [draw(st.permutations(range(n))) for _ in shapes]
    mask = draw(st.sampled_from([None, None, [rows, keys], [1, keys], [*batch, rows, keys], [rows, keys + 1], [keys]]))
    mask_type = draw(st.sampled_from([torch.bool, torch.float32, torch.float16, torch.int64]))
    dtype = draw(floats)
    keywords = {
        "is_causal": draw(st.booleans()), "scale": draw(st.sampled_from([None, 0.5, 1])),
        "dropout_p": draw(st.sampled_from([0.0, 0.0, 0.1])), "enable_gqa": draw(st.booleans()),
    }  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(list(keywords)), unique=True))

    def build() -> tuple[Any, ...]:
        query, key, value = (ordered(shape, order, dtype) for shape, order in zip(shapes, orders, strict=True))
        return query, key, value, None if mask is None else meta(*mask, dtype=mask_type)

    return Call(F.scaled_dot_product_attention, build, {name: keywords[name] for name in chosen})


@SETTINGS
@given(attentions())
def test_attention_is_torchs(call: Call) -> None:
    agrees(call)


@SETTINGS
@given(
    shapes,
    st.integers(-6, 5),
    st.sampled_from([F.softmax, torch.softmax, Tensor.softmax]),
    st.sampled_from([None, None, torch.float32, torch.float16]),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int32]),
)
def test_softmax_is_torchs(
    shape: list[int], dim: int, function: Any, to: torch.dtype | None, dtype: torch.dtype
) -> None:
    agrees(Call(function, lambda: (meta(*shape, dtype=dtype), dim), {} if to is None else {"dtype": to}))


few = st.one_of(st.integers(-3, 3), st.lists(st.integers(-4, 4), max_size=3))


@SETTINGS
@given(shapes, few, st.one_of(st.none(), few), st.sampled_from([torch.roll, Tensor.roll]))
def test_rolling_is_torchs(shape: list[int], shifts: Any, dims: Any, function: Any) -> None:
    agrees(Call(function, lambda: (meta(*shape), shifts) if dims is None else (meta(*shape), shifts, dims)))


@st.composite
def permuted(draw: st.DrawFn) -> Tensor:
    shape = draw(shapes)
    return ordered(shape, draw(st.permutations(range(len(shape)))))


@SETTINGS
@given(permuted(), st.lists(st.integers(-1, 12), max_size=4), st.sampled_from([torch.reshape, Tensor.reshape]))
def test_reshaping_is_torchs(x: Tensor, shape: list[int], function: Any) -> None:
    agrees(Call(function, lambda: (x, shape)))
    agrees(Call(function, lambda: (x, [*x.shape[:1], -1])))


@SETTINGS
@given(permuted(), permuted(), st.sampled_from([*ARITHMETIC, *UPDATES]), st.booleans())
def test_arithmetic_in_another_memory_order_is_torchs(x: Tensor, y: Tensor, function: Any, alike: bool) -> None:
    for other in (y, x.clone(), x.unsqueeze(0), meta(*(1 if n % 2 else size for n, size in enumerate(x.shape))), 2.0):
        agrees(Call(function, lambda other=other: (other, x) if alike else (x, other)))  # type: ignore[misc]


@SETTINGS
@given(permuted(), st.sampled_from(PLAIN))
def test_a_function_of_a_permuted_tensor_is_torchs(x: Tensor, function: Any) -> None:
    agrees(Call(function, lambda: (x,)))
    if x.dim():
        agrees(Call(function, lambda: (x[..., ::2],)))


@pytest.mark.parametrize("function", [*PLAIN, F.relu, F.elu, F.hardtanh])
def test_an_image_with_gaps_in_any_memory_order_is_torchs(function: Any) -> None:
    for shape in ((1, 2), (1, 2, 3), (1, 2, 2, 2), (1, 2, 2, 1)):
        for order in permutations(range(len(shape))):
            x = ordered([*shape[:-1], 2 * shape[-1]], order)
            agrees(Call(function, lambda x=x: (x[..., ::2],)))  # type: ignore[misc]


@SETTINGS
@given(permuted(), st.booleans())
def test_layers_of_a_permuted_tensor_are_torchs(x: Tensor, affine: bool) -> None:
    if x.dim():
        weight = meta(x.shape[-1]) if affine else None
        agrees(Call(F.layer_norm, lambda: (x, x.shape[-1:], weight, weight)))
        agrees(Call(F.linear, lambda: (x, meta(3, x.shape[-1]), meta(3) if affine else None)))


# Other memory, other types, other meanings.

MAP = (2, 4, 5, 5)
USUAL = [
    Call(torch.conv1d, lambda: (meta(2, 4, 9), meta(6, 4, 3))),
    Call(torch.conv2d, lambda: (meta(*MAP), meta(6, 2, 3, 3)), {"groups": 2, "padding": (1, 1)}),
    Call(torch.conv3d, lambda: (meta(2, 4, 5, 5, 5), meta(6, 4, 3, 3, 3), meta(6))),
    Call(F.linear, lambda: (meta(2, 4), meta(6, 4), meta(6))),
    Call(F.batch_norm, lambda: (meta(*MAP), meta(4), meta(4), meta(4), meta(4))),
    Call(F.layer_norm, lambda: (meta(2, 4), (4,), meta(4), meta(4))),
    Call(F.max_pool2d, lambda: (meta(*MAP), 2)),
    Call(torch.max_pool2d, lambda: (meta(*MAP), 3, 2, 1)),
    Call(F.avg_pool2d, lambda: (meta(*MAP), 2), {"ceil_mode": True}),
    Call(F.adaptive_avg_pool2d, lambda: (meta(*MAP), (1, None))),
    Call(torch.cat, lambda: ([meta(*MAP), meta(*MAP)], 1)),
    Call(F.pad, lambda: (meta(*MAP), (1, 1))),
    Call(F.pad, lambda: (meta(2, 4, 8, 8)[:, :, ::2, ::2], (0, 0, 0, 0, 0, 4))),
    Call(F.gelu, lambda: (meta(*MAP),), {"approximate": "tanh"}),
    Call(F.dropout, lambda: (meta(*MAP),), {"training": False}),
    *(Call(function, lambda: (meta(*MAP), (2, 3))) for function in (torch.mean, Tensor.mean)),
    *(Call(function, lambda: (meta(*MAP), 1)) for function in (torch.flatten, Tensor.flatten)),
    *(Call(function, lambda: (meta(*MAP), (2, -1))) for function in (torch.reshape, Tensor.reshape)),
    *(Call(function, lambda: (meta(*MAP), (1, -1), (2, 3))) for function in (torch.roll, Tensor.roll)),
    *(Call(function, lambda: (meta(*MAP), 1)) for function in (F.softmax, torch.softmax, Tensor.softmax)),
    *(
        Call(function, lambda: (meta(*MAP), meta(2, 4, 5, 3)))
        for function in (torch.matmul, Tensor.matmul, Tensor.__matmul__)
    ),
    *(Call(function, lambda: (meta(4, 5, 6), meta(4, 6, 3))) for function in (torch.bmm, Tensor.bmm)),
    Call(F.scaled_dot_product_attention, lambda: (meta(2, 4, 5, 3), meta(2, 4, 7, 3), meta(2, 4, 7, 6), meta(5, 7))),
    Call(Tensor.__getitem__, lambda: (meta(*MAP), (slice(1), 0))),
    Call(Tensor.contiguous, lambda: (meta(*MAP).transpose(1, 2),)),
    *(Call(call.function, lambda: (meta(*MAP),), call.keywords) for call in ACTIVATIONS[:9]),
    Call(F.hardtanh, lambda: (meta(*MAP),), {"min_val": 0.0, "max_val": 6.0, "inplace": True}),
    *(Call(function, lambda: (meta(*MAP),)) for function in PLAIN if function is not F.gelu),
    *(Call(function, lambda: (meta(*MAP), meta(2, 4, 1, 1))) for function in ARITHMETIC),
    Call(torch.mul, lambda: (meta(2, 4, 1, 1), meta(*MAP))),
    *(Call(function, lambda: (meta(*MAP), 0.5)) for function in UPDATES),
]


def test_every_rule_has_a_usual_call() -> None:
    assert {call.function for call in USUAL} == set(RULES)


@pytest.mark.parametrize("call", USUAL, ids=lambda call: getattr(call.function, "__name__", str(call.function)))
def test_the_usual_is_answered_without_a_kernel(call: Call) -> None:
    assert answers(call)
    agrees(call)


HALF_MAP = meta(*MAP, dtype=torch.float16)


@pytest.mark.parametrize(
    "call",
    [
        Call(F.batch_norm, lambda: (HALF_MAP, meta(4), meta(4))),
        Call(F.batch_norm, lambda: (meta(*MAP), meta(4), meta(4)), {"eps": 0.0}),
        Call(F.batch_norm, lambda: (meta(1, 4), meta(4), meta(4)), {"training": True}),
        Call(F.max_pool2d, lambda: (meta(*MAP), 2), {"return_indices": True}),
        Call(F.avg_pool2d, lambda: (meta(*MAP), 2), {"divisor_override": 3}),
        Call(F.max_pool2d, lambda: (meta(*MAP), 2), {"padding": 2}),
        Call(F.linear, lambda: (meta(2, 4), meta(6, 4), meta(5))),
        Call(F.leaky_relu, lambda: (meta(*MAP),), {"negative_slope": "steep"}),
        Call(F.pad, lambda: (meta(*MAP), (-1, 1))),
        Call(torch.add, lambda: (meta(2, 1), meta(2, 0))),
        Call(torch.add, lambda: (meta(2, 1, 1, 4).permute(0, 3, 1, 2), meta(2, 4, 1, 1))),
        Call(torch.matmul, lambda: (meta(2, 3, 4), meta(1, 4, 5))),
        Call(torch.bmm, lambda: (meta(2, 3, 4), meta(4, 5))),
        Call(torch.softmax, lambda: (meta(*MAP), 4)),
        Call(F.scaled_dot_product_attention, lambda: (meta(*MAP),) * 3, {"dropout_p": 0.1}),
        Call(torch.roll, lambda: (meta(*MAP), 1, ())),
        Call(Tensor.add_, lambda: (meta(2, 1), meta(2, 3))),
    ],
)  # fmt: skip
def test_a_rule_declines_what_is_torchs_to_judge(call: Call) -> None:
    assert not answers(call)


def test_a_pool_that_rounds_up_has_torchs_last_window() -> None:
    for kernel, stride, size in product(range(1, 5), range(1, 5), range(1, 8)):
        for padding in range(kernel // 2 + 1):
            if size + 2 * padding >= kernel:
                agrees(
                    Call(
                        F.max_pool2d,
                        lambda size=size, kernel=kernel: (meta(1, 1, size, size), kernel),  # type: ignore[misc]
                        {"stride": stride, "padding": padding, "ceil_mode": True},
                    )
                )


class KernelTraffic(TorchDispatchMode):
    """Traffic by brute force: elements and bytes of all tensors that a kernel takes and returns.

    A kernel that returns the memory of an argument moved nothing, unless it changes its argument in place.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moved = [0, 0]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = [part for part in tree_leaves((args, kwargs)) if isinstance(part, Tensor)]
        kept = any(out.untyped_storage()._cdata == tensor.untyped_storage()._cdata for tensor in given)
        if func._schema.is_mutable or not kept:
            self.moved[0] += sum(tensor.numel() for tensor in (*given, out))
            self.moved[1] += sum(tensor.numel() * tensor.element_size() for tensor in (*given, out))
        return out


@pytest.mark.parametrize("call", USUAL, ids=lambda call: getattr(call.function, "__name__", str(call.function)))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_rule_books_all_that_the_kernel_is_handed_and_hands_back(call: Call, dtype: torch.dtype) -> None:
    call = _changed_all(call, lambda tensor: tensor.to(dtype))
    args = call.build()
    with torch.inference_mode(), KernelTraffic() as kernel:
        call.function(*args, **call.keywords)
    ledger = Ledger([], list, 1)
    RULES[call.function](ledger, *call.build(), **call.keywords)
    booked = [[row.traffic_elems, row.traffic_bytes] for row in ledger.rows()]
    assert booked == ([kernel.moved] if any(kernel.moved) else [])


@pytest.mark.parametrize("held", [True, False])
def test_a_batch_norm_in_training_writes_its_statistics_too(held: bool) -> None:
    ledger = Ledger([], list, 1)
    statistics = (meta(4), meta(4)) if held else (None, None)
    RULES[F.batch_norm](ledger, meta(*MAP), *statistics, training=True)
    (row,) = ledger.rows()
    assert row.traffic_elems == 2 * meta(*MAP).numel() + (2 * 2 * 4 if held else 0)


def _changed_all(call: Call, change: Callable[[Tensor], Tensor]) -> Call:
    return Call(call.function, lambda: tree_map_only(Tensor, change, call.build()), call.keywords)


def _changed(call: Call, change: Callable[[Tensor], Tensor]) -> Call:
    def build() -> tuple[Any, ...]:
        first, *others = call.build()
        return ([change(part) for part in first] if isinstance(first, list) else change(first)), *others

    return Call(call.function, build, call.keywords)


UNUSUAL: dict[str, Callable[[Tensor], Tensor]] = {
    "channels-last": lambda x: (
        x.to(memory_format=torch.channels_last) if x.dim() == 4 else x.t() if x.dim() == 2 else x
    ),
    "a slice": lambda x: torch.cat([x, x], 1)[:, : x.shape[1]] if x.dim() > 1 else x,
    "every second": lambda x: torch.cat([x, x], -1)[..., ::2],
    "transposed": lambda x: x.mT.contiguous().mT if x.dim() > 1 else x,
    "coarser": lambda x: torch.cat([torch.cat([x, x], -1)] * 2, -2)[..., ::2, ::2] if x.dim() > 1 else x,
    "flat and sliced": lambda x: torch.cat([x, x], 1)[:, ::2, :1, :1] if x.dim() == 4 else x,
    "expanded": lambda x: x[:1].expand(x.shape),
    "complex": lambda x: x.to(torch.complex64),
    "integers": lambda x: x.to(torch.int32),
    "on the CPU": lambda x: torch.zeros(x.shape),
    "expanded in channels": lambda x: x[:, :1].expand(x.shape) if x.dim() > 1 else x,
    "empty": lambda x: x[:0],
}


@pytest.mark.parametrize("kind", UNUSUAL)
@pytest.mark.parametrize("call", USUAL, ids=lambda call: getattr(call.function, "__name__", str(call.function)))
def test_the_unusual_is_torchs_own_affair(call: Call, kind: str) -> None:
    agrees(_changed(call, UNUSUAL[kind]))


class Marked(Tensor):
    """A tensor subclass, as some libraries define."""


def test_a_subclass_of_tensor_stays_one() -> None:
    x = meta(*MAP).as_subclass(Marked)
    with torch.inference_mode(), ShapeRules(Ledger([], list, 1)):
        assert type(F.relu(x)) is Marked


def test_under_vmap_no_dimension_is_lost() -> None:
    with torch.inference_mode(), ShapeRules(Ledger([], list, 1)):
        assert torch.vmap(F.relu)(meta(3, 4)).shape == (3, 4)
        assert torch.vmap(lambda x: F.linear(x, meta(5, 4)))(meta(3, 4)).shape == (3, 5)


def test_a_result_goes_where_out_says() -> None:
    out = meta(2, 3)
    with torch.inference_mode(), ShapeRules(Ledger([], list, 1)):
        assert torch.add(meta(2, 3), meta(2, 3), out=out) is out
