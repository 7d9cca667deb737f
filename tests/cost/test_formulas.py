"""FLOP formulas against torch's own (two per multiply-add), memory access and CIO against the papers' equations."""

from math import prod

from hypothesis import given
from hypothesis import strategies as st
from torch.utils import flop_counter

from backbone_bench.cost import formulas

size = st.integers(1, 64)
sizes = st.lists(size, min_size=1, max_size=3)


@given(size, size, size, st.integers(1, 8), st.booleans(), st.data())
def test_a_convolutions_arithmetic_is_torchs(
    n: int, ci: int, co: int, groups: int, transposed: bool, data: st.DataObject
) -> None:
    kernel = data.draw(sizes)
    maps = st.lists(size, min_size=len(kernel), max_size=len(kernel))
    x, out = [n, ci * groups, *data.draw(maps)], [n, co * groups, *data.draw(maps)]
    weight = [ci * groups, co, *kernel] if transposed else [co * groups, ci, *kernel]
    ours = formulas.convolution(x, weight, out, n, transposed=transposed)
    assert 2 * ours.flops == flop_counter.conv_flop_count(x, weight, out, transposed=transposed)


@given(size, size, size)
def test_a_linear_layers_arithmetic_is_a_matrix_products(rows: int, ci: int, co: int) -> None:
    ours = formulas.linear([rows, ci], [co, ci], 1)
    assert 2 * ours.flops == flop_counter.mm_flop([rows, ci], [ci, co])
    assert ours.flops == formulas.product([rows, ci], [rows, co]).flops
    assert ours == formulas.layer_product([rows, ci], [ci, co], [rows, co], 1, weight_on_left=False)
    assert ours.flops == formulas.layer_product([co, ci], [ci, rows], [co, rows], 1, weight_on_left=True).flops


@given(size, size, size, size)
def test_a_batched_products_arithmetic_is_torchs(n: int, rows: int, inner: int, columns: int) -> None:
    ours = formulas.product([n, rows, inner], [n, rows, columns])
    assert 2 * ours.flops == flop_counter.bmm_flop([n, rows, inner], [n, inner, columns])


@given(size, st.integers(1, 8), st.integers(1, 4), size, size, size, size)
def test_attentions_arithmetic_is_torchs(
    n: int, heads: int, shared: int, queries: int, keys: int, e: int, v: int
) -> None:
    query, key, value = [n, heads * shared, queries, e], [n, heads, keys, e], [n, heads, keys, v]
    ours = formulas.attention(query, key, [*query[:-1], v])
    # Torch's counter gets keys of its own for each head: an older one refuses heads that share keys.
    theirs = (query, *([n, heads * shared, *rest] for _, _, *rest in (key, value)))
    assert 2 * ours.flops == flop_counter.sdpa_flop_count(*theirs)


@given(size, size, st.integers(1, 7), size, size)
def test_access_is_equation_1_of_the_vovnet_paper(ci: int, co: int, k: int, h: int, w: int) -> None:
    ours = formulas.convolution([1, ci, 2 * h, w], [co, ci, k, k], [1, co, h, w], 1)
    assert ours.access_elems == h * w * (ci + co) + k**2 * ci * co


@given(size, size, size, size)
def test_cio_takes_the_input_and_the_output_each_at_its_own_size(ci: int, co: int, h: int, w: int) -> None:
    ours = formulas.convolution([1, ci, 2 * h, w], [co, ci, 1, 1], [1, co, h, w], 1)
    assert ours.cio_elems == 2 * h * w * ci + h * w * co


@given(size, size, st.integers(1, 7), size, st.integers(1, 64))
def test_access_is_that_of_one_image_whatever_the_batch(ci: int, co: int, k: int, h: int, batch: int) -> None:
    one = formulas.convolution([1, ci, 2 * h, h], [co, ci, k, k], [1, co, h, h], 1)
    many = formulas.convolution([batch, ci, 2 * h, h], [co, ci, k, k], [batch, co, h, h], batch)
    assert (many.flops, many.out_elems) == (batch * one.flops, batch * one.out_elems)
    assert many == one._replace(flops=many.flops, out_elems=many.out_elems)


@given(size, size, st.integers(1, 8), sizes, st.booleans())
def test_the_depth_of_a_convolution_is_what_makes_one_element_of_its_output(
    ci: int, co: int, groups: int, kernel: list[int], transposed: bool
) -> None:
    maps = [9] * len(kernel)
    weight = [ci * groups, co, *kernel] if transposed else [co * groups, ci, *kernel]
    made = formulas.convolution([2, ci * groups, *maps], weight, [2, co * groups, *maps], 2, transposed=transposed)
    assert (made.groups, made.reduction_depth) == (groups, ci * prod(kernel))
    assert made.out_elems == 2 * co * groups * prod(maps)
    if not transposed:
        assert made.flops == made.out_elems * made.reduction_depth


@given(sizes, size, size)
def test_a_linear_layer_accesses_what_a_1x1_convolution_over_its_positions_does(
    front: list[int], ci: int, co: int
) -> None:
    over_positions = formulas.convolution([1, ci, prod(front), 1], [co, ci, 1, 1], [1, co, prod(front), 1], 1)
    assert formulas.linear([*front, ci], [co, ci], 1)[:2] == over_positions[:2]


def test_an_image_without_its_batch_dimension_is_a_batch_of_one() -> None:
    alone = formulas.convolution([3, 8, 9], [4, 3, 3, 3], [4, 6, 7], 1)
    assert alone == formulas.convolution([1, 3, 8, 9], [4, 3, 3, 3], [1, 4, 6, 7], 1)


def test_what_does_not_divide_by_the_batch_is_that_of_every_image() -> None:
    assert formulas.per_image(6272, 8) == 784
    assert formulas.per_image(197, 8) == 197
