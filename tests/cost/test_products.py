"""Products of complex numbers, and products with kernels of their own; figures are worked out by hand."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backbone_bench.cost import count, formulas
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.products import COSTS
from backbone_bench.cost.recorder import Recorder
from backbone_bench.records import Missing, OpCost

COMPLEX = torch.complex64
square, batch = torch.rand(6, 6), torch.rand(3, 6, 6)
line = torch.rand(2, 4, 6)


@pytest.fixture(autouse=True)
def complex_modules_are_rare() -> Iterator[None]:
    with warnings.catch_warnings(action="ignore"):
        yield


def recorded(call: Callable[..., Any], *args: Any) -> dict[str, OpCost]:
    """Rows that a call books, by operation."""
    ledger = Ledger([], list, 1)
    with torch.inference_mode(), Recorder(ledger):
        call(*args)
    return {row.op: row for row in ledger.rows()}


def flops(call: Callable[..., Any], *args: Any) -> int:
    rows = recorded(call, *args).values()
    assert not any(isinstance(row.flops, Missing) for row in rows)
    return sum(row.flops for row in rows if isinstance(row.flops, int))


# The multiply-adds of each, whatever the numbers.
PRODUCTS: Mapping[str, tuple[Callable[..., Any], tuple[Tensor, ...], int]] = {
    "mm": (torch.mm, (square, square), 216), "matmul": (torch.matmul, (batch, square), 3 * 216),
    "bmm": (torch.bmm, (batch, batch), 3 * 216), "mv": (torch.mv, (square, square[0]), 36),
    "dot": (torch.dot, (square[0], square[0]), 6), "vdot": (torch.vdot, (square[0], square[0]), 6),
    "addmm": (torch.addmm, (square, square, square), 216), "addmv": (torch.addmv, (square[0], square, square[0]), 36),
    "baddbmm": (torch.baddbmm, (batch, batch, batch), 3 * 216),
    "addbmm": (torch.addbmm, (square, batch, batch), 3 * 216), "linear": (F.linear, (square, square), 216),
    "einsum": (lambda a, b: torch.einsum("bij,jk->bik", a, b), (batch, square), 3 * 216),
    "tensordot": (lambda a, b: torch.tensordot(a, b, 1), (square, square), 216),
    "inner": (torch.inner, (square, square), 216),
    "multi_dot": (lambda a, b: torch.linalg.multi_dot([a, b, a]), (square, square), 2 * 216),
    "chain_matmul": (torch.chain_matmul, (square, square), 216),
    "matrix_power": (lambda a: torch.linalg.matrix_power(a, 3), (square,), 2 * 216),
    "conv1d": (F.conv1d, (line, torch.rand(5, 4, 3)), 2 * 4 * 5 * 4 * 3),
    "grouped conv1d": (lambda x, w: F.conv1d(x, w, groups=2), (line, torch.rand(6, 2, 3)), 2 * 4 * 6 * 2 * 3),
    "conv_transpose1d": (F.conv_transpose1d, (line, torch.rand(4, 5, 3)), 2 * 6 * 5 * 4 * 3),
    "conv2d": (F.conv2d, (torch.rand(2, 4, 6, 6), torch.rand(5, 4, 3, 3)), 2 * 16 * 5 * 4 * 9),
    "conv3d": (F.conv3d, (torch.rand(1, 4, 4, 4, 4), torch.rand(5, 4, 3, 3, 3)), 8 * 5 * 4 * 27),
    "attention": (F.scaled_dot_product_attention, (line, line, line), 2 * 2 * 4 * 4 * 6),
}  # fmt: skip


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_complex_multiply_add_is_four_real_ones(name: str, device: str) -> None:
    call, given, multiply_adds = PRODUCTS[name]
    on_device = [tensor.to(device) for tensor in given]
    assert flops(call, *on_device) == multiply_adds
    if name == "attention" and device == "cpu":
        return  # torch has no such kernel
    assert flops(call, *(tensor.to(COMPLEX) for tensor in on_device)) == 4 * multiply_adds


@pytest.mark.parametrize(
    ("left", "right", "real"), [(False, False, 1), (True, False, 2), (False, True, 2), (True, True, 4)]
)
def test_a_multiply_add_with_one_real_factor_is_two_real_ones(left: bool, right: bool, real: int) -> None:
    factors = (square.to(COMPLEX) if side else square for side in (left, right))
    assert formulas.on_numbers(formulas.Arithmetic(6, 5, 4), *factors) == formulas.Arithmetic(6 * real, 5, 4)


class Filter(nn.Module):
    """A filter of frequencies, as FNO and GFNet have it: complex weights as pairs of real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 5, 2))
        self.gate = nn.Linear(4, 5).to(COMPLEX)

    def forward(self, x: Tensor) -> Any:
        mixed = torch.einsum("nit,io->not", torch.fft.rfft(x), torch.view_as_complex(self.weight))
        return torch.fft.irfft(mixed + self.gate(torch.fft.rfft(x).mT).mT)


def test_a_filter_of_frequencies_counts_its_products_and_names_its_transforms() -> None:
    cost = count(Filter(), [torch.rand(2, 4, 16)], batch=2)
    assert cost.flops == 2 * (4 * 2 * 9 * 4 * 5)
    assert {unknown.op for unknown in cost.uncounted} == {"_fft_r2c", "_fft_c2r"}
    (gate,) = [row for row in cost.by_op if row.module == "gate"]
    assert gate.access_elems == 9 * (4 + 5) + 4 * 5  # a complex element is one element …
    assert gate.traffic_bytes == 8 * (2 * 9 * (4 + 5) + 4 * 5 + 5)  # … of eight bytes


# Products with kernels of their own, on the meta device where the CPU has none.

half, bytes_ = torch.bfloat16, torch.int8
offsets = torch.empty(2, dtype=torch.int32, device="meta")


def meta(*shape: int, dtype: torch.dtype = half) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


KERNELS: Mapping[str, tuple[Callable[[], Any], int]] = {
    "_int_mm": (lambda: torch._int_mm(meta(32, 16, dtype=bytes_), meta(16, 24, dtype=bytes_)), 32 * 16 * 24),
    "_weight_int8pack_mm": (lambda: torch._weight_int8pack_mm(meta(3, 16), meta(24, 16, dtype=bytes_), meta(24)),
                            3 * 16 * 24),
    "_addmm_activation": (lambda: torch._addmm_activation(meta(24), meta(3, 16), meta(16, 24)), 3 * 16 * 24),
    "addbmm": (lambda: torch.addbmm(meta(5, 7), meta(3, 5, 6), meta(3, 6, 7)), 3 * 5 * 6 * 7),
    "affine_grid_generator": (lambda: F.affine_grid(meta(2, 2, 3), [2, 3, 4, 6], align_corners=False), 2 * 24 * 2 * 3),
    "convolution": (lambda: torch.conv_tbc(torch.rand(9, 2, 4), torch.rand(3, 4, 5), torch.rand(5), 1),
                    9 * 2 * 3 * 4 * 5),
}  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
def test_a_product_that_torchs_own_counter_leaves_out_is_counted(name: str) -> None:
    call, expected = KERNELS[name]
    assert recorded(call)[name].flops == expected


def test_a_grid_in_space_multiplies_four_coordinates() -> None:
    assert flops(lambda: F.affine_grid(torch.rand(2, 3, 4), [2, 3, 4, 6, 5], align_corners=False)) == 2 * 120 * 3 * 4


ON_ACCELERATORS: Mapping[str, tuple[tuple[Any, ...], Tensor, int]] = {
    # rows in groups, columns in groups, the inner dimension in groups, and a batch
    "_grouped_mm": ((meta(8, 6), meta(2, 6, 5), offsets), meta(8, 5), 8 * 6 * 5),
    "_scaled_grouped_mm": ((meta(2, 8, 6), meta(6, 10), offsets), meta(8, 10), 8 * 6 * 10),
    "_scaled_grouped_mm_v2": ((meta(8, 6), meta(6, 5), offsets), meta(2, 8, 5), 8 * 6 * 5),
    "_scaled_mm": ((meta(8, 6), meta(6, 5)), meta(8, 5), 8 * 6 * 5),
    "_scaled_mm_v2": ((meta(8, 6), meta(6, 5)), meta(8, 5), 8 * 6 * 5),
    "_weight_int4pack_mm": ((meta(3, 16), meta(3, 1, 32, 4, dtype=torch.int32)), meta(3, 24), 3 * 16 * 24),
    # Of four values two are stored.
    "_sparse_semi_structured_mm": ((meta(8, 3), None, meta(6, 5)), meta(8, 5), 8 * 3 * 5),
    "_sparse_semi_structured_addmm": ((meta(8), meta(8, 3), None, meta(6, 5)), meta(8, 5), 8 * 3 * 5),
    "_sparse_semi_structured_linear": ((meta(4, 6), meta(8, 3), None), meta(4, 8), 4 * 3 * 8),
    "semi_structured::cutlass_mm": ((meta(4, 6), meta(8, 3)), meta(4, 8), 4 * 3 * 8),  # the dense side is transposed
    "semi_structured::cusparselt_mm": ((meta(6, 5), meta(27), None, 8), meta(8, 5), 8 * 3 * 5),
}


@pytest.mark.parametrize("name", ON_ACCELERATORS)
def test_a_product_for_accelerators_only_is_counted_from_its_shapes(name: str) -> None:
    args, out, expected = ON_ACCELERATORS[name]
    assert COSTS[name](Ledger([], list, 1), args, out).flops == expected


def test_every_formula_has_been_tried() -> None:
    same = {
        "_weight_int4pack_mm_for_cpu",
        "_weight_int4pack_mm_with_scales_and_zeros",
        "_dyn_quant_matmul_4bit",
    }  # the formula of `_weight_int4pack_mm`
    quantized = {name for name in COSTS if name.startswith("quantized::")}  # in test_layouts
    fused = {"_native_multi_head_attention", "_transformer_encoder_layer_fwd"}  # there too
    assert COSTS.keys() - quantized - same - fused - {"conv_tbc"} <= KERNELS.keys() | ON_ACCELERATORS.keys()


UNKNOWN: Mapping[str, Callable[[], Any]] = {
    "inv": lambda: torch.linalg.inv(square + 6 * torch.eye(6)), "solve": lambda: torch.linalg.solve(square, square),
    "cholesky": lambda: torch.linalg.cholesky(torch.eye(6)), "svd": lambda: torch.linalg.svd(square),
    "qr": lambda: torch.linalg.qr(square), "eigh": lambda: torch.linalg.eigh(square),
    "eig": lambda: torch.linalg.eig(square), "det": lambda: torch.linalg.det(square),
    "slogdet": lambda: torch.linalg.slogdet(square), "lu": lambda: torch.linalg.lu(square),
    "lstsq": lambda: torch.linalg.lstsq(square, square), "pinv": lambda: torch.linalg.pinv(square),
    "matrix_exp": lambda: torch.linalg.matrix_exp(square), "matrix_rank": lambda: torch.linalg.matrix_rank(square),
    "solve_triangular": lambda: torch.linalg.solve_triangular(square, square, upper=True),
    "nuclear norm": lambda: torch.linalg.norm(square, "nuc"), "cdist": lambda: torch.cdist(square, square),
    "pdist": lambda: F.pdist(square), "bilinear": lambda: F.bilinear(square[0], square[0], batch),
    **{name: partial(getattr(torch.fft, name), square) for name in (
        "fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn",
        "irfftn",
    )},
    "stft": lambda: torch.stft(torch.rand(64), 8, window=torch.hann_window(8), return_complex=True),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_arithmetic_that_depends_on_the_algorithm_is_named_as_not_counted(name: str) -> None:
    assert any(isinstance(row.flops, Missing) for row in recorded(UNKNOWN[name]).values())


POINTWISE: Mapping[str, Callable[[], Any]] = {
    "outer": lambda: torch.outer(square[0], square[0]), "addr": lambda: torch.addr(square, square[0], square[0]),
    "kron": lambda: torch.kron(square, square), "cross": lambda: torch.linalg.cross(square[:, :3], square[:, 3:]),
    "vecdot": lambda: torch.linalg.vecdot(square, square), "norm": lambda: torch.linalg.norm(square),
    "cosine_similarity": lambda: F.cosine_similarity(square, square),
    "pairwise_distance": lambda: F.pairwise_distance(square, square),
    "multiply and sum": lambda: (square[:, :, None] * square[None]).sum(1), 
    "fftshift": lambda: torch.fft.fftshift(square),
}  # fmt: skip


@pytest.mark.parametrize("name", POINTWISE)
def test_what_multiplies_element_by_element_has_no_flops(name: str) -> None:
    assert flops(POINTWISE[name]) == 0
