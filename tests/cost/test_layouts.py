"""Sparse, nested, masked, quantized and mkldnn tensors are counted by what they store; figures are by hand."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.masked import masked_tensor

from backbone_bench.cost import count
from backbone_bench.records import Missing, ModelCost

STORED, NODES = 300, 100  # edges and nodes of the graph
FILLED = torch.randperm(NODES**2, generator=torch.Generator().manual_seed(0))[:STORED]


@pytest.fixture(autouse=True)
def forms_in_beta() -> Iterator[None]:
    """Torch warns of sparse, nested and masked tensors that their interface may change."""
    with warnings.catch_warnings(action="ignore"):
        yield


class Call(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


def costs(function: Callable[..., Any], *args: Any) -> ModelCost:
    return count(Call(function), args)


def dense() -> Tensor:
    table = torch.zeros(NODES**2)
    table[FILLED] = 1.0
    return table.view(NODES, NODES)


FORMS: dict[str, Callable[[], Tensor]] = {
    "coo": lambda: dense().to_sparse(),
    "csr": lambda: dense().to_sparse_csr().clone(),  # else its indices are a part of larger ones
    "csc": lambda: dense().to_sparse_csc().clone(),
    "bsr": lambda: dense().to_sparse_bsr((10, 10)),
    "bsc": lambda: dense().to_sparse_bsc((10, 10)),
}
# Elements of the indices: two for each value in COO; 101 row pointers and a column for each value, or block.
INDICES = {"coo": 2 * STORED, "csr": 101 + STORED, "csc": 101 + STORED}


class Graph(nn.Module):
    """Two layers of a graph network, whose matrix of edges is sparse."""

    def __init__(self, edges: Tensor) -> None:
        super().__init__()
        self.register_buffer("edges", edges)
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Any:
        return self.edges @ self.second(torch.sparse.mm(self.edges, self.first(x)))


@pytest.mark.parametrize("form", ["coo", "csr", "csc"])
def test_a_graph_layer_multiplies_the_edges_that_there_are(form: str) -> None:
    cost = count(Graph(FORMS[form]()), [torch.rand(NODES, 8)])
    assert (cost.flops, cost.uncounted, cost.path) == (19_200 + STORED * 16 + STORED * 4, (), "cpu")
    assert cost.params == 8 * 16 + 16 + 16 * 4 + 4  # the edges are a buffer


COLUMNS = torch.rand(NODES, 6)
PRODUCTS: dict[str, Callable[[Tensor], Any]] = {
    "torch.mm": lambda a: torch.mm(a, COLUMNS),
    "@": lambda a: a @ COLUMNS,
    "right @": lambda a: COLUMNS.T @ a,
    "sparse.mm": lambda a: torch.sparse.mm(a, COLUMNS),
    "addmm": lambda a: torch.addmm(COLUMNS, a, COLUMNS),
    "sparse.addmm": lambda a: torch.sparse.addmm(COLUMNS, a, COLUMNS),
    "linear": lambda a: F.linear(COLUMNS.T, a),
    "transposed": lambda a: a.mT @ COLUMNS,
    "t()": lambda a: a.t() @ COLUMNS,
}
# Torch itself has no kernel on the CPU for these.
ABSENT = {
    *(("bsr", name) for name in ("right @", "transposed", "t()")),
    *(("bsc", name) for name in ("torch.mm", "@", "sparse.mm", "addmm", "sparse.addmm", "linear")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PRODUCTS)
def test_each_stored_value_is_multiplied_once_for_each_column_of_the_other_side(form: str, name: str) -> None:
    edges = FORMS[form]()
    if (form, name) in ABSENT:
        pytest.skip("torch has no such kernel on the CPU")
    stored = STORED if form in INDICES else edges.values().numel()
    assert STORED <= stored <= NODES**2  # whole blocks are stored, with the zeros in them
    cost = costs(PRODUCTS[name], edges)
    assert (cost.flops, cost.uncounted) == (stored * 6, ())


@pytest.mark.parametrize("form", INDICES)
def test_a_product_reads_the_values_and_the_indices(form: str) -> None:
    cost = costs(lambda a: a @ COLUMNS, FORMS[form]())
    assert cost.traffic_elems == STORED + INDICES[form] + 2 * COLUMNS.numel()
    index_bytes = 8 * INDICES[form]
    assert cost.traffic_bytes == 4 * (STORED + 2 * COLUMNS.numel()) + index_bytes
    # The edges are an input, so they are held as the columns of the result are made.
    assert cost.peak_activation_bytes == 4 * STORED + index_bytes + 4 * COLUMNS.numel()


def pairs() -> int:
    """Multiply-adds of the matrix of edges with itself, counted value by value."""
    rows, columns = (FILLED // NODES).tolist(), (FILLED % NODES).tolist()
    return sum(rows.count(column) for column in columns)


OTHERS: dict[str, tuple[Callable[..., Any], Callable[[], Tensor], int]] = {
    "mv": (lambda a: a.mv(COLUMNS[:, 0]), FORMS["csr"], STORED),
    "@ vector": (lambda a: a @ COLUMNS[:, 0], FORMS["coo"], STORED),
    "bmm": (
        lambda a: torch.bmm(a, COLUMNS.expand(3, NODES, 6)),
        lambda: torch.stack([FORMS["coo"]()] * 3),
        18 * STORED,
    ),
    "coo @ coo": (lambda a: a @ a, FORMS["coo"], pairs()),
    "csr @ csr": (lambda a: a @ a, FORMS["csr"], pairs()),
    "sparse.mm of two": (lambda a: torch.sparse.mm(a, a), FORMS["coo"], pairs()),
    "reduce": (lambda a: torch.sparse.mm(a, COLUMNS, reduce="mean"), FORMS["csr"], 6 * STORED),
    "hspmm": (lambda a: torch.hspmm(a, COLUMNS), FORMS["coo"], 6 * STORED),
    "sampled_addmm": (lambda a: torch.sparse.sampled_addmm(a, COLUMNS, COLUMNS.T), FORMS["csr"], 6 * STORED),
    "complex": (lambda a: a.to(torch.complex64) @ COLUMNS.to(torch.complex64), FORMS["coo"], 4 * 6 * STORED),
    "made within": (lambda x: x.to_sparse() @ COLUMNS, dense, 6 * STORED),
    "made within, csr": (lambda x: x.to_sparse_csr() @ COLUMNS, dense, 6 * STORED),
    "softmax": (lambda a: torch.sparse.softmax(a, 1), FORMS["coo"], 0),
    "sum": (lambda a: torch.sparse.sum(a, 1), FORMS["coo"], 0),
    "to_dense": (lambda a: a.to_dense() + 1, FORMS["csr"], 0),
    "elementwise": (lambda a: (a * 2 + a).relu(), FORMS["csr"], 0),
    "values": (lambda a: a.coalesce().values() * 2, FORMS["coo"], 0),
    "mask": (lambda a: a.to_dense().sparse_mask(a), FORMS["coo"], 0),
    "dropout": (lambda a: F.dropout(a, 0.5, training=False), FORMS["coo"], 0),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_else_works_on_sparse_tensors_is_counted_by_what_they_store(name: str) -> None:
    function, build, flops = OTHERS[name]
    cost = costs(function, build())
    assert (cost.flops, cost.uncounted) == (flops, ())


def test_an_operation_on_a_sparse_tensor_whose_arithmetic_is_not_known_is_named() -> None:
    cost = costs(lambda a: torch.triangular_solve(COLUMNS, a, upper=False)[0], FORMS["csr"]())
    assert [unknown.op for unknown in cost.uncounted] == ["triangular_solve"]
    assert cost.flops == 0


@pytest.mark.parametrize("form", ["coo", "csr"])
def test_a_sparse_parameter_has_as_many_parameters_as_values(form: str) -> None:
    layer = nn.Linear(NODES, NODES, bias=False)
    layer.weight = nn.Parameter(FORMS[form]())
    cost = count(layer, [torch.rand(6, NODES)], batch=6)
    assert (cost.flops, cost.params) == (6 * STORED, STORED)
    assert cost.params_bytes == 4 * STORED + 8 * INDICES[form]
    assert cost.access_elems == NODES + NODES + STORED  # one image's row in and out, and the weights that there are
    assert cost.peak_activation_bytes == 4 * 2 * 6 * NODES


# Nested tensors.

LENGTHS = (7, 3, 1)
LAYOUTS = (torch.jagged, torch.strided)


def sequences(layout: torch.layout) -> Tensor:
    return torch.nested.nested_tensor([torch.rand(length, 16) for length in LENGTHS], layout=layout)


class Projected(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Any:
        query, key, value = self.qkv(x).chunk(3, -1)
        return self.out((query + key + value).relu())


class Attention(Projected):
    """Attention over two heads."""

    def forward(self, x: Tensor) -> Any:
        jagged = x.layout is torch.jagged
        heads = [part.contiguous() for part in self.qkv(x).chunk(3, -1)]
        if jagged:
            mixed = F.scaled_dot_product_attention(*(part.unflatten(-1, [2, 8]).transpose(1, 2) for part in heads))
            return self.out(mixed.transpose(1, 2).flatten(2))
        mixed = F.scaled_dot_product_attention(*(part.view(3, -1, 2, 8).transpose(1, 2).contiguous() for part in heads))
        return self.out(mixed.transpose(1, 2).contiguous().view(3, -1, 16))


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_nested_tensor_is_counted_without_padding(layout: torch.layout) -> None:
    cost = count(Projected(), [sequences(layout)], batch=3)
    assert (cost.flops, cost.uncounted) == (11 * 16 * 48 + 11 * 16 * 16, ())
    first, _, _, last = cost.by_op
    assert (first.traffic_elems, last.traffic_elems) == (11 * 16 + 48 * 17 + 11 * 48, 11 * 16 + 16 * 17 + 11 * 16)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_attention_of_a_nested_tensor_is_that_of_each_sequence(layout: torch.layout) -> None:
    scores = sum(length**2 for length in LENGTHS)
    cost = count(Attention(), [sequences(layout)])
    assert (cost.flops, cost.uncounted) == (11 * 16 * 64 + 2 * scores * 16, ())


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_nested_tensor_that_is_made_within_is_counted_as_well(layout: torch.layout) -> None:
    weight = torch.rand(48, 16)

    def forward(*parts: Tensor) -> Tensor:
        nested = torch.nested.nested_tensor(list(parts), layout=layout)
        return F.dropout(F.layer_norm(F.linear(nested, weight), (48,), *weight.T[:2])).to_padded_tensor(0.0)

    cost = costs(forward, torch.rand(7, 16), torch.rand(3, 16))
    assert (cost.flops, cost.uncounted) == (10 * 16 * 48, ())


def test_a_product_of_nested_tensors_is_that_of_their_components() -> None:
    nested = sequences(torch.strided)
    flops = sum(length**2 * 16 for length in LENGTHS)
    assert costs(lambda x: x @ x.transpose(1, 2), nested).flops == flops
    assert costs(lambda x: torch.bmm(x, x.transpose(1, 2)), nested).flops == flops


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return nn.TransformerEncoder(layer, 2).eval()


class MultiHead(nn.Module):
    def __init__(self, *, within: bool) -> None:
        super().__init__()
        self.attention, self.within = nn.MultiheadAttention(16, 2, batch_first=True), within
        self.eval()

    def forward(self, x: Any) -> Any:
        nested = torch.nested.nested_tensor(x) if self.within else x
        return self.attention(nested, nested, nested, need_weights=False)[0]


def test_attention_that_takes_nested_tensors_in_a_fused_kernel_only_is_counted_there() -> None:
    scores = sum(length**2 for length in LENGTHS)
    attention = 11 * 16 * 64 + 2 * scores * 16
    nested = sequences(torch.strided)
    for model, x, expected in (
        (MultiHead(within=False), nested, attention),
        (MultiHead(within=True), list(nested.unbind()), attention),
        (encoder(), nested, 2 * (attention + 2 * 11 * 16 * 32)),
    ):
        cost = count(model, [x], batch=3)
        assert (cost.flops, cost.uncounted, cost.path) == (expected, (), "cpu")


# Masked, quantized and mkldnn tensors.


def test_a_masked_tensor_holds_values_and_a_mask() -> None:
    masked = masked_tensor(torch.rand(4, 6), torch.rand(4, 6) > 0.5)
    cost = costs(lambda x: (x * x).sum(1), masked)
    assert (cost.flops, cost.uncounted) == (0, ())
    held = 4 * 24 + 24
    assert isinstance(cost.peak_activation_bytes, int)
    assert cost.peak_activation_bytes >= 2 * held  # the input, and the product


def test_a_masked_tensor_may_know_single_operations_only() -> None:
    masked = masked_tensor(torch.rand(4, 6), torch.rand(4, 6) > 0.5)
    cost = costs(lambda x: torch.softmax(x, 1), masked)
    assert {row.op for row in cost.by_op} >= {"softmax"}
    assert (cost.flops, cost.uncounted) == (0, ())


def test_a_semi_structured_weight_is_counted_by_the_half_that_it_stores() -> None:
    """Torch makes such weights on a GPU only, so this one is put together."""
    kind = torch.sparse.SparseSemiStructuredTensorCUTLASS
    kind._load_dispatch_table()
    packed, places = torch.rand(64, 64).half(), torch.zeros(64, 8, dtype=torch.int16)
    layer = nn.Linear(128, 64, bias=False)
    layer.weight = nn.Parameter(kind(torch.Size((64, 128)), packed, places, None, None, None), requires_grad=False)
    cost = count(layer, [torch.rand(8, 128).half()], batch=8)
    assert (cost.flops, cost.uncounted, cost.path) == (8 * 64 * 64, (), "meta")
    assert (cost.params, cost.params_bytes) == (64 * 64, 2 * 64 * 64 + 2 * 64 * 8)
    assert cost.access_elems == 128 + 64 + 64 * 64


def test_a_model_of_fake_tensors_is_counted_from_its_shapes() -> None:
    with FakeTensorMode():
        model = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    cost = count(model, [torch.rand(2, 8)])
    assert (cost.flops, cost.params, cost.path) == (2 * 8 * 4, 8 * 4 + 4, "meta")


def test_a_quantized_tensor_has_one_byte_for_each_element() -> None:
    cost = costs(lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8).relu().dequantize(), torch.rand(4, 6))
    assert (cost.flops, cost.uncounted) == (0, ())
    assert cost.traffic_bytes == (24 * 4 + 24) + 2 * 24 + (24 + 24 * 4)


def quantized_network() -> nn.Module:
    quantization = torch.ao.quantization
    network = nn.Sequential(
        quantization.QuantStub(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv1d(6, 2, 3), nn.Flatten(), nn.Linear(32, 5),
        quantization.DeQuantStub(),
    ).eval()  # fmt: skip
    network[3] = nn.Identity()
    network[5] = nn.Linear(4 * 36, 5)
    network.qconfig = quantization.get_default_qconfig("fbgemm")
    quantization.prepare(network, inplace=True)
    network(torch.rand(2, 3, 8, 8))
    quantization.convert(network, inplace=True)
    return network


def test_a_quantized_network_has_the_flops_of_the_network() -> None:
    cost = count(quantized_network(), [torch.rand(2, 3, 8, 8)], batch=2)
    convolution, linear = 2 * 36 * 4 * 27, 2 * 4 * 36 * 5
    assert (cost.flops, cost.conv_flops, cost.uncounted, cost.path) == (convolution + linear, convolution, (), "cpu")
    rows = {row.op: row for row in cost.by_op}
    assert (
        rows["quantized_convolution"].traffic_bytes == 2 * 3 * 64 + 4 * 27 + 4 * 4 + 2 * 4 * 36
    )  # the bias is float32
    assert rows["quantized_convolution"].access_elems == 36 * (3 + 4) + 4 * 27


def test_a_linear_layer_that_is_quantized_as_it_runs_has_the_flops_of_the_layer() -> None:
    model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 4), nn.ReLU()))
    cost = count(model, [torch.rand(2, 8)])
    assert (cost.flops, cost.uncounted, cost.path) == (2 * 8 * 4, (), "cpu")


def test_a_tensor_whose_storage_torch_does_not_show_leaves_the_peak_open() -> None:
    weight, bias = torch.rand(5, 6).to_mkldnn(), torch.rand(5).to_mkldnn()
    cost = costs(lambda x: F.linear(x.to_mkldnn(), weight, bias).to_dense(), torch.rand(4, 6))
    assert (cost.flops, cost.uncounted) == (4 * 6 * 5, ())
    assert isinstance(cost.peak_activation_bytes, Missing)
