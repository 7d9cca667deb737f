"""The recorder's tables of operations: a call reaches every name, and an unknown operation is always reported."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from backbone_bench.base.torch_versions import is_tagged
from backbone_bench.cost.aten import BOOKINGS, MOVES, NO_KERNEL, SYNONYMS, WRITE_ONLY
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder
from backbone_bench.records import Missing, OpCost

x = torch.rand(2, 4, 6, 6)
line, cube = torch.rand(2, 4, 6), torch.rand(2, 4, 6, 6, 6)
v, square = torch.rand(6), torch.rand(6, 6)
whole = torch.tensor([3, 1, 2])
mask = torch.rand(6, 6) > 0.5
with warnings.catch_warnings(action="ignore"):  # both forms are in beta
    sparse, quantized = mask.float().to_sparse(), torch.quantize_per_tensor(v, 0.1, 0, torch.quint8)
grid2, grid3 = torch.rand(2, 3, 3, 2), torch.rand(2, 3, 3, 3, 3)


def recorded(call: Callable[[], Any]) -> dict[str, OpCost]:
    """Rows that a call books, by operation."""
    ledger = Ledger([], list, 1)
    with warnings.catch_warnings(action="ignore"), torch.inference_mode(), Recorder(ledger):  # sparse forms are in beta
        call()
    return {row.op: row for row in ledger.rows()}


MADE: Mapping[str, Callable[[], Tensor]] = {
    "zeros": lambda: torch.zeros(6), "ones": lambda: torch.ones(6), "full": lambda: torch.full((6,), 2.0),
    "arange": lambda: torch.arange(6), "linspace": lambda: torch.linspace(0, 1, 6), "eye": lambda: torch.eye(6),
    "rand": lambda: torch.rand(6), "randn": lambda: torch.randn(6), "randint": lambda: torch.randint(3, (6,)),
    "randperm": lambda: torch.randperm(6), "tril_indices": lambda: torch.tril_indices(3, 3),
    "triu_indices": lambda: torch.triu_indices(3, 3), "zeros_like": lambda: torch.zeros_like(v),
    "ones_like": lambda: torch.ones_like(v), "full_like": lambda: torch.full_like(v, 2.0),
    "rand_like": lambda: torch.rand_like(v), "randn_like": lambda: torch.randn_like(v),
    "randint_like": lambda: torch.randint_like(v, 3), "new_zeros": lambda: v.new_zeros(6),
    "new_ones": lambda: v.new_ones(6), "new_full": lambda: v.new_full((6,), 2.0),
    "zero": lambda: v.clone().zero_(), "fill": lambda: v.clone().fill_(2.0), "uniform": lambda: v.clone().uniform_(),
    "normal": lambda: v.clone().normal_(), "exponential": lambda: v.clone().exponential_(),
    "cauchy": lambda: v.clone().cauchy_(), "geometric": lambda: v.clone().geometric_(0.5),
    "log_normal": lambda: v.clone().log_normal_(), "random": lambda: v.clone().random_(),
    "logspace": lambda: torch.logspace(0, 1, 6), "hann_window": lambda: torch.hann_window(6),
    "hamming_window": lambda: torch.hamming_window(6), "blackman_window": lambda: torch.blackman_window(6),
    "bartlett_window": lambda: torch.bartlett_window(6), "kaiser_window": lambda: torch.kaiser_window(6),
    "fft_fftfreq": lambda: torch.fft.fftfreq(6), "fft_rfftfreq": lambda: torch.fft.rfftfreq(6),
}  # fmt: skip

MOVED: Mapping[str, Callable[[], Any]] = {
    "copy": lambda: v.clone().copy_(torch.empty(6)),
    "embedding": lambda: F.embedding(whole, square), "index_select": lambda: square.index_select(0, whole),
    "gather": lambda: v.gather(0, whole), "index": lambda: square[whole], "take": lambda: square.take(whole),
    "alias_copy": lambda: torch.alias_copy(v), "as_strided_copy": lambda: torch.as_strided_copy(v, (2,), (1,)),
    "detach_copy": lambda: torch.detach_copy(v), "diagonal_copy": lambda: torch.diagonal_copy(square),
    "expand_copy": lambda: torch.expand_copy(v, (2, 6)), "narrow_copy": lambda: torch.narrow_copy(v, 0, 0, 2),
    "permute_copy": lambda: torch.permute_copy(square, (1, 0)), "select_copy": lambda: torch.select_copy(square, 0, 1),
    "slice_copy": lambda: torch.slice_copy(v, 0, 0, 2), "split_copy": lambda: torch.split_copy(v, 2),
    "split_with_sizes_copy": lambda: torch.split_with_sizes_copy(v, (2, 4)),
    "squeeze_copy": lambda: torch.squeeze_copy(v[None]), "t_copy": lambda: torch.t_copy(square),
    "transpose_copy": lambda: torch.transpose_copy(square, 0, 1), "unbind_copy": lambda: torch.unbind_copy(square),
    "unfold_copy": lambda: torch.unfold_copy(v, 0, 2, 2), "unsqueeze_copy": lambda: torch.unsqueeze_copy(v, 0),
    "view_copy": lambda: torch.view_copy(v, (2, 3)),
    "embedding_renorm": lambda: torch.embedding_renorm_(square.clone(), whole, 1.0, 2.0),
    "index_reduce": lambda: v.index_reduce(0, whole, v[:3], "prod"), "put": lambda: v.put(whole, v[:3]),
    # activations
    "hardswish": lambda: F.hardswish(x),
 "softmax": lambda: x.softmax(1), "log_softmax": lambda: x.log_softmax(1),
    "glu": lambda: F.glu(x, 1), "prelu": lambda: F.prelu(x, torch.rand(4)),
    "log_sigmoid_forward": lambda: F.logsigmoid(x), "bernoulli": lambda: torch.bernoulli(v),
    "rrelu_with_noise": lambda: torch.ops.aten.rrelu_with_noise(x, x, 0.1, 0.3, True),
    "poisson": lambda: torch.poisson(v), "native_dropout": lambda: torch.native_dropout(v, 0.5, True),
    # norms
    "native_batch_norm": lambda: torch.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5),
    "_native_batch_norm_legit": lambda: torch.ops.aten._native_batch_norm_legit(x, None, None, True, 0.1, 1e-5),
    "_native_batch_norm_legit_no_training": lambda: torch.ops.aten._native_batch_norm_legit_no_training(
        x, None, None, v[:4], v[:4], 0.1, 1e-5),
    "layer_norm": lambda: F.layer_norm(x, (6,)), "group_norm": lambda: F.group_norm(x, 2),
    "instance_norm": lambda: F.instance_norm(x), "rms_norm": lambda: F.rms_norm(x, (6,)),
    "_weight_norm_interface": lambda: torch._weight_norm(square, torch.rand(6, 1)),
    # windows
    "max_pool1d": lambda: F.max_pool1d(line, 2), "max_pool2d": lambda: F.max_pool2d(x, 2),
    "max_pool3d": lambda: F.max_pool3d(cube, 2), "avg_pool1d": lambda: F.avg_pool1d(line, 2),
    "avg_pool2d": lambda: F.avg_pool2d(x, 2), "avg_pool3d": lambda: F.avg_pool3d(cube, 2),
    "adaptive_avg_pool1d": lambda: F.adaptive_avg_pool1d(line, 2),
    "adaptive_avg_pool2d": lambda: F.adaptive_avg_pool2d(x, 2),
    "adaptive_avg_pool3d": lambda: F.adaptive_avg_pool3d(cube, 2),
    "adaptive_max_pool2d": lambda: F.adaptive_max_pool2d(x, 2),
    "adaptive_max_pool3d": lambda: F.adaptive_max_pool3d(cube, 2),
    "max_unpool2d": lambda: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), [2, 2]),
    "max_unpool3d": lambda: F.max_unpool3d(*F.max_pool3d(cube, 2, return_indices=True), [2, 2, 2]),
    "fractional_max_pool2d": lambda: F.fractional_max_pool2d(x, 2, output_size=3),
    "fractional_max_pool3d": lambda: F.fractional_max_pool3d(cube, 2, output_size=3),
    "im2col": lambda: F.unfold(x, 2), "col2im": lambda: F.fold(torch.rand(1, 4, 25), (6, 6), 2),
    # sampling
    "upsample_nearest1d": lambda: F.interpolate(line, scale_factor=2),
    "upsample_nearest2d": lambda: F.interpolate(x, scale_factor=2),
    "upsample_nearest3d": lambda: F.interpolate(cube, scale_factor=2),
    "upsample_linear1d": lambda: F.interpolate(line, scale_factor=2, mode="linear"),
    "upsample_bilinear2d": lambda: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "upsample_bicubic2d": lambda: F.interpolate(x, scale_factor=2, mode="bicubic"),
    "upsample_trilinear3d": lambda: F.interpolate(cube, scale_factor=2, mode="trilinear"),
    "_upsample_nearest_exact1d": lambda: F.interpolate(line, scale_factor=2, mode="nearest-exact"),
    "_upsample_nearest_exact2d": lambda: F.interpolate(x, scale_factor=2, mode="nearest-exact"),
    "_upsample_nearest_exact3d": lambda: F.interpolate(cube, scale_factor=2, mode="nearest-exact"),
    "_upsample_bilinear2d_aa": lambda: F.interpolate(x, 3, mode="bilinear", antialias=True),
    "_upsample_bicubic2d_aa": lambda: F.interpolate(x, 3, mode="bicubic", antialias=True),
    "grid_sampler_2d": lambda: F.grid_sample(x, grid2, align_corners=False),
    "grid_sampler_3d": lambda: F.grid_sample(cube, grid3, align_corners=False),
    # joining, slicing, rearranging and copying
    "cat": lambda: torch.cat([x, x]), "stack": lambda: torch.stack([v, v]),
    "block_diag": lambda: torch.block_diag(square, square), "to": lambda: v.double(),
    "lift_fresh_copy": lambda: torch.ops.aten.lift_fresh_copy(v),
    "pad": lambda: F.pad(v, (1, 1)),
    "pixel_shuffle": lambda: F.pixel_shuffle(x, 2), "pixel_unshuffle": lambda: F.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda: F.channel_shuffle(x, 2), "roll": lambda: v.roll(1), "flip": lambda: v.flip(0),
    "rot90": lambda: square.rot90(), "repeat": lambda: v.repeat(2),
    "repeat_interleave": lambda: v.repeat_interleave(whole.repeat(2)),
    "tril": lambda: square.tril(), "triu": lambda: square.triu_(), "diag_embed": lambda: v.diag_embed(),
    "select_scatter": lambda: square.select_scatter(v, 0, 0),
    "slice_scatter": lambda: square.slice_scatter(square[:2], 0, 0, 2),
    "diagonal_scatter": lambda: square.diagonal_scatter(v),
    "as_strided_scatter": lambda: v.as_strided_scatter(v[:2], (2,), (1,)),
    "unfold_backward": lambda: torch.ops.aten.unfold_backward(torch.rand(3, 2), (6,), 0, 2, 2),
    "_pack_padded_sequence": lambda: nn.utils.rnn.pack_padded_sequence(line, torch.tensor([2, 2, 1, 1])),
    # sorting, searching, indexing
    "sort": lambda: v.sort(), "argsort": lambda: v.argsort(), "topk": lambda: v.topk(2),
    "kthvalue": lambda: v.kthvalue(2),
    "median": lambda: v.median(), "mode": lambda: v.mode(), "cumsum": lambda: v.cumsum(0),
    "cumprod": lambda: v.cumprod(0),
    "cummax": lambda: v.cummax(0), "cummin": lambda: v.cummin(0), "logcumsumexp": lambda: v.logcumsumexp(0),
    "_unique2": lambda: whole.unique(), "unique_dim": lambda: square.unique(dim=0),
    "unique_consecutive": lambda: whole.unique_consecutive(), "nonzero": lambda: mask.nonzero(),
    "nonzero_static": lambda: torch.nonzero_static(v, size=2), "nanmedian": lambda: v.nanmedian(),
    "segment_reduce": lambda: torch.segment_reduce(v, "sum", lengths=torch.tensor([2, 4])),
    "masked_select": lambda: square.masked_select(mask), "masked_scatter": lambda: square.masked_scatter(mask, square),
    "index_put": lambda: v.index_put((whole,), v[:3]), "index_add": lambda: v.index_add(0, whole, v[:3]),
    "index_copy": lambda: v.index_copy(0, whole, v[:3]), "index_fill": lambda: v.index_fill(0, whole, 1.0),
    "scatter": lambda: v.scatter(0, whole, 1.0), "scatter_add": lambda: v.scatter_add(0, whole, v),
    "scatter_reduce": lambda: v.scatter_reduce(0, whole, v, "sum"), "searchsorted": lambda: torch.searchsorted(v, v),
    "bucketize": lambda: torch.bucketize(v, v), "histc": lambda: v.histc(3), "bincount": lambda: whole.bincount(),
    "isin": lambda: torch.isin(whole, whole), "one_hot": lambda: F.one_hot(whole),
    "multinomial": lambda: v.multinomial(2), "_embedding_bag": lambda: F.embedding_bag(whole[None], square),
    # other layouts: sparse, nested, quantized, mkldnn
    "to_dense": lambda: sparse.to_dense(), "to_sparse": lambda: square.to_sparse(),
    "to_sparse_csr": lambda: square.to_sparse_csr(), "to_sparse_csc": lambda: square.to_sparse_csc(),
    "to_sparse_bsr": lambda: square.to_sparse_bsr((2, 2)), "to_sparse_bsc": lambda: square.to_sparse_bsc((2, 2)),
    "coalesce": lambda: torch.sparse_coo_tensor(torch.zeros(1, 2, dtype=torch.long), v[:2], (6,)).coalesce(),
    "sparse_mask": lambda: square.sparse_mask(sparse), "_sparse_sum": lambda: torch.sparse.sum(sparse, 1),
    "_sparse_softmax": lambda: torch.sparse.softmax(sparse, 1),
    "_sparse_log_softmax": lambda: torch.sparse.log_softmax(sparse, 1),
    "_nested_tensor_from_tensor_list": lambda: torch.nested.nested_tensor([v, v[:2]]),
    "to_padded_tensor": lambda: torch.nested.nested_tensor([v, v[:2]]).to_padded_tensor(0.0),
    "_jagged_to_padded_dense_forward": lambda: torch.nested.nested_tensor(
        [v, v[:2]], layout=torch.jagged).to_padded_tensor(0.0),
    "_padded_dense_to_jagged_forward": lambda: torch.ops.aten._padded_dense_to_jagged_forward(
        square, [torch.arange(7)], 6),
    "quantize_per_tensor": lambda: torch.quantize_per_tensor(v, 0.1, 0, torch.quint8),
    "quantize_per_channel": lambda: torch.quantize_per_channel(square, v, torch.zeros(6), 0, torch.quint8),
    "dequantize": lambda: quantized.dequantize(), "int_repr": lambda: quantized.int_repr(),
    "to_mkldnn": lambda: x.to_mkldnn(),
    "fake_quantize_per_tensor_affine_cachemask": lambda: torch.fake_quantize_per_tensor_affine(v, 0.1, 0, 0, 255),
    "fake_quantize_per_channel_affine_cachemask": lambda: torch.fake_quantize_per_channel_affine(
        square, v, torch.zeros(6), 0, 0, 255),
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams": lambda: torch.fake_quantize_per_tensor_affine(
        v, torch.tensor(0.1), torch.tensor(0, dtype=torch.int32), 0, 255),
    # losses, complex numbers and the rest
    "addr": lambda: torch.addr(square, v, v), "dist": lambda: torch.dist(v, v),
    "linalg_cross": lambda: torch.cross(v[:3], v[3:], dim=0),
    "multi_margin_loss": lambda: F.multi_margin_loss(square[:3], whole),
    "multilabel_margin_loss_forward": lambda: F.multilabel_margin_loss(v[:4], torch.tensor([3, 1, 2, -1])),
    "soft_margin_loss": lambda: F.soft_margin_loss(v, v),
    "_ctc_loss": lambda: F.ctc_loss(torch.rand(6, 1, 4), whole[None], torch.tensor([6]), torch.tensor([3])),
    "floor_divide": lambda: v // v, "trace": lambda: square.trace(), "renorm": lambda: square.renorm(2, 0, 1.0),
    "mse_loss": lambda: F.mse_loss(v, v), "smooth_l1_loss": lambda: F.smooth_l1_loss(v, v),
    "huber_loss": lambda: F.huber_loss(v, v), "binary_cross_entropy": lambda: F.binary_cross_entropy(v, v),
    "binary_cross_entropy_with_logits": lambda: F.binary_cross_entropy_with_logits(v, v),
    "nll_loss_forward": lambda: F.cross_entropy(square[:3], whole),
    "nll_loss2d_forward": lambda: F.nll_loss(x[:, :3], torch.zeros(2, 6, 6, dtype=torch.long)),
    "complex": lambda: torch.complex(v, v), "polar": lambda: torch.polar(v, v),
}  # fmt: skip

ELSEWHERE = {name for name in MOVES if name.startswith("torchvision::")}  # tests/extras has torchvision


def test_every_name_has_a_call_that_reaches_it() -> None:
    assert set(MADE) | set(MOVED) | ELSEWHERE == MOVES
    assert set(MADE) | {"copy"} == WRITE_ONLY


@pytest.mark.parametrize("name", [*MADE, *MOVED])
def test_an_operation_that_only_moves_is_booked_under_its_name_with_no_arithmetic(name: str) -> None:
    rows = recorded({**MADE, **MOVED}[name])
    assert name in rows
    assert not any(isinstance(row.flops, Missing) for row in rows.values())
    assert sum(row.flops for row in rows.values() if isinstance(row.flops, int)) == 0


@pytest.mark.parametrize("name", sorted(MOVES - ELSEWHERE))
def test_no_name_repeats_what_torch_itself_tells(name: str) -> None:
    assert not is_tagged(getattr(torch.ops.aten, name))


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_from_nothing_reads_nothing(name: str) -> None:
    made = MADE[name]()
    assert recorded(MADE[name])[name].traffic_elems == made.numel()


WITHOUT_KERNEL: Mapping[str, Callable[[], Any]] = {
    "empty": lambda: torch.empty(6), "empty_like": lambda: torch.empty_like(v), "new_empty": lambda: v.new_empty(6),
    "empty_strided": lambda: torch.empty_strided((6,), (1,)),
    "empty_permuted": lambda: torch.empty_permuted((6,), (0,)),
    "new_empty_strided": lambda: v.new_empty_strided((6,), (1,)), "lift_fresh": lambda: torch.tensor([1.0]),
    "scalar_tensor": lambda: torch.scalar_tensor(1.0), "_unsafe_view": lambda: torch.ops.aten._unsafe_view(v, (2, 3)),
    "unsafe_split": lambda: v.unsafe_split(2), "unsafe_split_with_sizes": lambda: v.unsafe_split_with_sizes((2, 4)),
    "unsafe_chunk": lambda: v.unsafe_chunk(2),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NO_KERNEL))
def test_what_launches_no_work_is_not_booked(name: str) -> None:
    assert recorded(WITHOUT_KERNEL[name]) == {}


@pytest.mark.parametrize(
    "call",
    [
        lambda: x.flatten(1), lambda: x.reshape(2, -1), lambda: x.transpose(1, 2), lambda: x[0, 1:], lambda: x.chunk(2),
        lambda: x.expand(3, 2, 4, 6, 6), lambda: x.to(torch.float32), lambda: x.contiguous(), lambda: x.detach(),
        lambda: F.dropout(x, 0.5, training=False), lambda: F.dropout(x, 0.5, training=False, inplace=True),
        lambda: v.view(2, 3).t_(), lambda: torch.empty(0).set_(v.untyped_storage()), lambda: torch.empty(6).resize_(4),
        lambda: x.mT,
    ],
)  # fmt: skip
def test_a_view_launches_no_work(call: Callable[[], Any]) -> None:
    assert recorded(call) == {}


def test_a_reshape_that_must_copy_does_work() -> None:
    assert recorded(lambda: square.t().reshape(-1))["reshape"].traffic_elems == 2 * square.numel()
    assert recorded(lambda: square.t().contiguous())["contiguous"].traffic_elems == 2 * square.numel()


@pytest.mark.parametrize("drop", [F.dropout, F.dropout2d, F.alpha_dropout, F.feature_alpha_dropout])
def test_dropout_is_one_operation_in_training_and_none_else(drop: Callable[..., Tensor]) -> None:
    (row,) = recorded(lambda: drop(x, 0.5, True)).values()
    assert (row.calls, row.traffic_elems) == (1, 2 * x.numel())
    assert recorded(lambda: drop(x, 0.0, True)) == {}


@pytest.mark.parametrize("name", SYNONYMS)
def test_a_synonym_is_torchs_and_its_name_is_known(name: str) -> None:
    assert hasattr(torch.ops.aten, name)
    assert hasattr(torch.ops.aten, SYNONYMS[name])
    assert SYNONYMS[name] not in SYNONYMS


def test_an_operation_in_place_reads_what_it_changes() -> None:
    assert recorded(lambda: v.clone().add_(v))["add"].traffic_elems == 3 * v.numel()
    assert recorded(lambda: v.clone().relu_())["relu"].traffic_elems == 2 * v.numel()


def test_where_a_result_goes_is_not_read() -> None:
    out = torch.empty(6)
    assert recorded(lambda: torch.add(v, v, out=out))["add"].traffic_elems == 3 * v.numel()
    assert recorded(lambda: torch.mm(square, square, out=torch.empty(6, 6)))["mm"].flops == 6**3


def test_a_list_of_results_is_written_whole() -> None:
    assert recorded(lambda: torch._foreach_add([v, v], 1.0))["foreach_add"].traffic_elems == 4 * v.numel()
    assert recorded(lambda: torch._foreach_add_([v.clone()], 1.0))["foreach_add"].traffic_elems == 2 * v.numel()


PRODUCTS: Mapping[str, tuple[Callable[[], Any], int]] = {
    "matmul": (lambda: square @ square, 216), "mm": (lambda: torch.mm(square, square), 216),
    "bmm": (lambda: torch.bmm(line, line.mT), 2 * 4 * 6 * 4), "mv": (lambda: square.mv(v), 36),
    "dot": (lambda: v.dot(v), 6), "vdot": (lambda: torch.vdot(v, v), 6),
    "addmm": (lambda: torch.addmm(v, square, square, alpha=2), 216), "addmv": (lambda: torch.addmv(v, square, v), 36),
    "baddbmm": (lambda: torch.baddbmm(torch.rand(1), line, line.mT, beta=2), 2 * 4 * 6 * 4),
    "linear": (lambda: F.linear(square, square, v), 216),
    "scaled_dot_product_attention": (lambda: F.scaled_dot_product_attention(line, line, line), 2 * 2 * 4 * 4 * 6),
    "convolution": (lambda: torch.conv1d(line, torch.rand(5, 4, 3)), 2 * 4 * 5 * 4 * 3),
    "transposed_convolution": (lambda: F.conv_transpose1d(line, torch.rand(4, 5, 3)), 2 * 6 * 5 * 4 * 3),
    "_convolution": (lambda: torch._convolution(line, torch.rand(5, 4, 3), None, [1], [0], [1], False, [0], 1, False,
                                                False, False, False), 2 * 4 * 5 * 4 * 3),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_counted_by_hand(name: str) -> None:
    call, flops = PRODUCTS[name]
    assert recorded(call)[name].flops == flops


@pytest.mark.parametrize(
    ("call", "flops"),
    [
        (lambda: torch.einsum("bij,bkj->bik", line, line), 2 * 4 * 4 * 6),
        (lambda: torch.einsum("ij,jk,kl->il", square, square, square), 2 * 216),
        (lambda: torch.tensordot(square, square, 1), 216), (lambda: torch.inner(square, square), 216),
        (lambda: torch.linalg.multi_dot([square, square]), 216),
        (lambda: torch.matmul(x, square), 2 * 4 * 6 * 6 * 6), (lambda: torch.matmul(v, square), 36),
        (lambda: torch.matmul(v, v), 6), (lambda: torch.ops.aten.convolution(
            line, torch.rand(4, 5, 3), None, [1], [0], [1], True, [0], 1), 2 * 6 * 5 * 4 * 3),
        (lambda: torch.ops.aten.convolution(
            line, torch.rand(5, 4, 3), None, [1], [0], [1], False, [0], 1), 2 * 4 * 5 * 4 * 3),
    ],
)  # fmt: skip
def test_what_is_made_of_products_is_counted_by_them(call: Callable[[], Any], flops: int) -> None:
    assert sum(row.flops for row in recorded(call).values() if isinstance(row.flops, int)) == flops


state = torch.rand(1, 4, 3)
gates = [torch.rand(9, 6), torch.rand(9, 3), torch.rand(9), torch.rand(9)]
more_gates = [torch.rand(12, 6), torch.rand(12, 3), torch.rand(12), torch.rand(12)]
COMPUTING: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (F.conv1d, (line, torch.rand(5, 4, 3), torch.rand(5))),
    (F.conv_transpose1d, (line, torch.rand(4, 5, 3), torch.rand(5))),
    (torch.ops.aten.convolution, (line, torch.rand(5, 4, 3), torch.rand(5), [1], [0], [1], False, [0], 1)),
    (torch.ops.aten.convolution, (line, torch.rand(4, 5, 3), torch.rand(5), [1], [0], [1], True, [0], 1)),
    (F.linear, (square, square, v)),
    (torch.mm, (square, square)), (torch.bmm, (line, line.mT)), (torch.mv, (square, v)), (torch.dot, (v, v)),
    (torch.addmm, (v, square, square)), (torch.addmv, (v, square, v)), (torch.baddbmm, (v[:1], line, line.mT)),
    (F.scaled_dot_product_attention, (line, line, line)),
    (F.scaled_dot_product_attention, (line, line, line, mask[:4, :4])),
    (F.batch_norm, (x, *torch.rand(4, 4))),
    (torch.lstm, (line, (state, state), more_gates, True, 1, 0.0, False, False, False)),
    (torch.gru, (line, state, gates, True, 1, 0.0, False, False, False)),
]  # fmt: skip


@pytest.mark.parametrize(("function", "given"), COMPUTING)
def test_what_computes_reads_all_that_it_is_given_and_writes_what_it_returns(
    function: Callable[..., Any], given: tuple[Any, ...]
) -> None:
    made: list[Any] = []
    (row,) = recorded(lambda: made.append(function(*given))).values()
    tensors = [part for part in tree_leaves((given, made)) if isinstance(part, Tensor)]
    assert row.traffic_elems == sum(tensor.numel() for tensor in tensors)
    assert row.traffic_bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_a_batch_norm_in_training_writes_its_statistics_as_well_as_reads_them() -> None:
    trained = recorded(lambda: F.batch_norm(x, v[:4], v[:4], v[:4], v[:4], training=True))["batch_norm"]
    assert trained.traffic_elems == 2 * x.numel() + 4 * 4 + 2 * 4


def test_a_deformable_convolution_reads_its_offsets_its_mask_and_its_bias() -> None:
    ledger = Ledger([], list, 1)
    given = x, torch.rand(5, 4, 3, 3), torch.rand(2, 18, 4, 4), torch.rand(2, 9, 4, 4), torch.rand(5)
    out = torch.rand(2, 5, 4, 4)
    BOOKINGS["torchvision::deform_conv2d"](ledger, out, *given)
    (row,) = ledger.rows()
    assert row.traffic_elems == sum(tensor.numel() for tensor in (*given, out))


def test_a_convolution_without_channels_does_nothing() -> None:
    rows = recorded(lambda: torch.conv2d(torch.rand(1, 0, 6, 6), torch.rand(4, 0, 3, 3)))
    assert (rows["convolution"].flops, rows["convolution"].groups) == (0, 1)


@torch.library.custom_op("backbone_bench_tests::secret", mutates_args=("out",))
def secret(a: Tensor, out: Tensor) -> None:
    out.copy_(a @ a)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("linalg_inv_ex", lambda: torch.linalg.inv(square + torch.eye(6))), ("_fft_r2c", lambda: torch.fft.rfft(v)),
        ("_cdist_forward", lambda: torch.cdist(square, square)),
        ("_trilinear", lambda: F.bilinear(v, v, torch.rand(1, 6, 6))),
        ("backbone_bench_tests::secret", lambda: secret(square, torch.empty(6, 6))),
    ],
)  # fmt: skip
def test_what_is_not_known_is_named(name: str, call: Callable[[], Any]) -> None:
    assert isinstance(recorded(call)[name].flops, Missing)


ACTIVATIONS = [
    nn.CELU, nn.ELU, nn.GELU, nn.GLU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU,
    nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU, nn.ReLU6, nn.RReLU, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus,
    nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink,
]  # fmt: skip


@pytest.mark.parametrize("layer", ACTIVATIONS)
@pytest.mark.parametrize("training", [False, True])
def test_no_activation_of_torchs_is_unknown(layer: type[nn.Module], training: bool) -> None:
    rows = recorded(lambda: layer().train(training)(x))
    assert rows
    assert all(row.flops == 0 for row in rows.values())


def test_every_booking_has_been_tried() -> None:
    elsewhere = {"lstm", "gru", "rnn_tanh", "rnn_relu", "batch_norm"}  # counted as layers, in test_micro
    elsewhere |= {"convolution_backward"}  # in test_training
    aliases = {"conv1d": "convolution", "conv2d": "convolution", "conv3d": "convolution"}
    aliases |= {f"conv_transpose{n}d": "transposed_convolution" for n in (1, 2, 3)}
    dropouts = {"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"}
    tried = {*PRODUCTS, *elsewhere, *dropouts, "torchvision::deform_conv2d"}
    assert {aliases.get(name, name) for name in BOOKINGS} <= tried
