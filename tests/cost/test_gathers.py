"""Gathers read what they gather and scatters write what they scatter, not the whole table; figures are by hand."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backbone_bench.cost import count
from backbone_bench.cost.gathers import GATHERS, SCATTERS
from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder, canonical

# A table so large that reading it whole could not pass for reading a part of it.
table = torch.rand(1000, 8)
rows = torch.tensor([3, 1, 3, 2, 0])
maps, volume = torch.rand(2, 4, 50, 50), torch.rand(2, 4, 20, 20, 20)
mask = torch.zeros(1000, dtype=torch.bool)
mask[:7] = True
labels = torch.randint(8, (1000,))
points = torch.rand(2, 3, 3, 2)
ordered = torch.arange(1000.0)
wide = rows[:, None].expand(5, 8)  # an index for each element of five rows


def moved(call: Callable[[], Any]) -> dict[str, int]:
    """Elements that a call reads and writes, by operation."""
    ledger = Ledger([], list, 1)
    with warnings.catch_warnings(action="ignore"), torch.inference_mode(), Recorder(ledger):  # some are in beta
        call()
    return {row.op: row.traffic_elems for row in ledger.rows()}


READS: Mapping[str, tuple[Callable[[], Any], int]] = {
    "embedding": (lambda: F.embedding(rows, table), 5 + 2 * 5 * 8),
    "index_select": (lambda: table.index_select(0, rows), 5 + 2 * 5 * 8),
    "index": (lambda: table[rows], 5 + 2 * 5 * 8),
    "gather": (lambda: table.gather(0, wide), 40 + 2 * 40),
    "take": (lambda: table.take(rows), 5 + 2 * 5),
    "masked_select": (lambda: table[:, 0].masked_select(mask), 1000 + 2 * 7),
    # Besides the two bags it writes the bag of each row, and two numbers for each bag.
    "_embedding_bag": (lambda: F.embedding_bag(rows, table, torch.tensor([0, 2])), 5 + 2 + 5 * 8 + 2 * 8 + 5 + 2 * 2),
    "_pack_padded_sequence": (lambda: nn.utils.rnn.pack_padded_sequence(
        torch.rand(9, 2, 3), torch.tensor([2, 1])), 2 + 2 * 3 * 3 + 2),  # writes the batch sizes too
    "nll_loss_forward": (lambda: F.nll_loss(table, labels), 1000 + 1000 + 2),
    "nll_loss2d_forward": (lambda: F.nll_loss(
        torch.rand(2, 30, 5, 5), torch.zeros(2, 5, 5, dtype=torch.long)), 50 + 50 + 2),
    "grid_sampler_2d": (lambda: F.grid_sample(maps, points, align_corners=False), 4 * 72 + 36 + 72),
    "grid_sampler_3d": (lambda: F.grid_sample(volume, torch.rand(2, 2, 2, 2, 3), align_corners=False),
                        8 * 64 + 48 + 64),
    "searchsorted": (lambda: torch.searchsorted(ordered, ordered[:3]), 10 * 3 + 3 + 3),  # 2**10 > 1000
    "bucketize": (lambda: torch.bucketize(ordered[:3], ordered), 10 * 3 + 3 + 3),
    "slice_copy": (lambda: torch.slice_copy(table, 0, 0, 5), 2 * 40),
    "select_copy": (lambda: torch.select_copy(table, 0, 1), 2 * 8),
    "narrow_copy": (lambda: torch.narrow_copy(table, 0, 0, 5), 2 * 40),
    "diagonal_copy": (lambda: torch.diagonal_copy(table), 2 * 8),
    "as_strided_copy": (lambda: torch.as_strided_copy(table, (5,), (8,)), 2 * 5),
    "expand_copy": (lambda: torch.expand_copy(table[:1], (5, 8)), 8 + 40),
    "split_copy": (lambda: torch.split_copy(table, 500), 2 * 8000),
    "split_with_sizes_copy": (lambda: torch.split_with_sizes_copy(table, (400, 600)), 2 * 8000),
    "unbind_copy": (lambda: torch.unbind_copy(table[:5]), 2 * 40),
    "unfold_copy": (lambda: torch.unfold_copy(table[:5], 0, 2, 1), 40 + 4 * 2 * 8),  # no more than there is
    **{f"{name}_copy": (call, 2 * 8000) for name, call in {
        "alias": lambda: torch.alias_copy(table), "detach": lambda: torch.detach_copy(table),
        "permute": lambda: torch.permute_copy(table, (1, 0)), "squeeze": lambda: torch.squeeze_copy(table),
        "t": lambda: torch.t_copy(table), "transpose": lambda: torch.transpose_copy(table, 0, 1),
        "unsqueeze": lambda: torch.unsqueeze_copy(table, 0), "view": lambda: torch.view_copy(table, (8, 1000)),
    }.items()},
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_a_gather_reads_what_it_gathers(name: str) -> None:
    call, elems = READS[name]
    assert moved(call)[name] == elems


ELSEWHERE = {name for name in GATHERS if name.startswith("torchvision::")}  # tests/extras has torchvision


def test_every_gather_and_every_scatter_has_been_tried() -> None:
    assert READS.keys() | ELSEWHERE == GATHERS.keys()
    assert WRITES.keys() == SCATTERS.keys()


@pytest.mark.parametrize(
    ("call", "name", "elems"),
    [
        (lambda: table[mask], "index", 1000 + 2 * 7 * 8),
        (lambda: table[rows, 2], "index", 5 + 2 * 5),
        (lambda: table.take_along_dim(wide, 0), "gather", 40 + 2 * 40),
        (lambda: nn.Embedding(1000, 8)(rows), "embedding", 5 + 2 * 40),
        (lambda: F.grid_sample(maps, points, mode="nearest", align_corners=False), "grid_sampler_2d", 72 + 36 + 72),
        (lambda: F.grid_sample(maps, points, mode="bicubic", align_corners=False), "grid_sampler_2d", 16 * 72 + 108),
        # The whole input at most, though each of 2 · 40 · 40 points has four neighbours in each of 4 maps.
        (lambda: F.grid_sample(maps[..., :9, :9], torch.rand(2, 40, 40, 2), align_corners=False), "grid_sampler_2d",
         2 * 4 * 81 + 2 * 1600 * 2 + 2 * 1600 * 4),
        (lambda: F.cross_entropy(table, labels, weight=torch.rand(8)), "nll_loss_forward", 3 * 1000 + 2),
        (lambda: F.embedding_bag(rows[None], table, mode="sum", per_sample_weights=torch.rand(1, 5)), "_embedding_bag",
         5 + 5 + 1 + 5 * 8 + 8 + 2),
    ],
)  # fmt: skip
def test_other_ways_to_gather_read_the_same(call: Callable[[], Any], name: str, elems: int) -> None:
    assert moved(call)[name] == elems


ones, five, zero = torch.ones(5, 8), torch.ones(5), torch.zeros(1)
# The call on a table in place, and what it reads and writes: the indices, the source, the places written, and the
# same places again if they are read first.
WRITES: Mapping[str, tuple[Callable[[Tensor], Any], int]] = {
    "index_put": (lambda t: t.__setitem__(rows, ones), 5 + 40 + 40),
    "scatter": (lambda t: t.scatter_(0, wide, ones), 40 + 40 + 40),
    "scatter_add": (lambda t: t.scatter_add_(0, wide, ones), 40 + 40 + 2 * 40),
    "scatter_reduce": (lambda t: t.scatter_reduce_(0, wide, ones, "amax"), 40 + 40 + 2 * 40),
    "index_copy": (lambda t: t.index_copy_(0, rows, ones), 5 + 40 + 40),
    "index_add": (lambda t: t.index_add_(0, rows, ones), 5 + 40 + 2 * 40),
    "index_reduce": (lambda t: t.index_reduce_(0, rows, ones, "prod"), 5 + 40 + 2 * 40),
    "index_fill": (lambda t: t.index_fill_(0, rows, 0.0), 5 + 40),
    "put": (lambda t: t.put_(rows, five), 5 + 5 + 5),
    "embedding_renorm": (lambda t: torch.embedding_renorm_(t, rows, 1.0, 2.0), 5 + 2 * 40),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_scatter_in_place_writes_what_it_scatters(name: str) -> None:
    call, elems = WRITES[name]
    copy = table.clone()
    assert moved(lambda: call(copy))[name] == elems


@pytest.mark.parametrize(
    ("call", "name", "elems"),
    [
        (lambda t: t.index_put_((rows,), ones, accumulate=True), "index_put", 5 + 40 + 2 * 40),
        (lambda t: t.put_(rows, five, accumulate=True), "put", 5 + 5 + 2 * 5),
        (lambda t: t.scatter_(0, wide, 1.0), "scatter", 40 + 40),
        (lambda t: t.scatter_(0, wide, table), "scatter", 3 * 40),  # no more of the source than there are indices
        (lambda t: t.scatter_(0, wide, 2.0, reduce="multiply"), "scatter", 40 + 2 * 40),
        (lambda t: t.__setitem__((slice(None), torch.tensor([1, 2])), zero), "index_put", 2 + 1 + 2 * 1000),
        (lambda t: t.__setitem__((rows, rows), five), "index_put", 5 + 5 + 5 + 5),
        (lambda t: t.__setitem__(mask, zero), "index_put", 1000 + 1 + 8 * 1000),  # all that the mask covers
        (lambda t: t.__setitem__(slice(0, 5), ones), "copy", 2 * 40),
        (lambda t: t[:, 3].copy_(ordered), "copy", 2 * 1000),
    ],
)
def test_other_ways_to_scatter_write_the_same(call: Callable[[Tensor], Any], name: str, elems: int) -> None:
    copy = table.clone()
    assert moved(lambda: call(copy))[name] == elems


def test_a_scatter_into_a_new_tensor_copies_the_whole() -> None:
    assert moved(lambda: table.index_copy(0, rows, ones))["index_copy"] == 5 + 40 + 2 * 8000
    assert moved(lambda: table.scatter_add(0, wide, table))["scatter_add"] == 40 + 40 + 2 * 8000


class Cache(nn.Module):
    """A cache of keys, into which each call writes one position."""

    keys: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("keys", torch.zeros(1, 4, 2048, 16))

    def forward(self, key: Tensor, position: Tensor) -> Any:
        self.keys[:, :, position] = key
        self.keys.index_copy_(2, position, key)
        self.keys[:, :, 5:6] = key
        return key


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_cache_writes_one_position(device: str) -> None:
    cost = count(Cache().to(device), [torch.rand(1, 4, 1, 16), torch.tensor([5])])
    assert {row.op: row.traffic_elems for row in cost.by_op} == {
        "index_put": 1 + 2 * 64, "index_copy": 1 + 2 * 64, "copy": 2 * 64,
    }  # fmt: skip
    assert cost.path == "meta"


def test_a_gather_of_complex_numbers_counts_their_bytes() -> None:
    ledger = Ledger([], list, 1)
    with torch.inference_mode(), Recorder(ledger):
        torch.rand(1000, 8, dtype=torch.complex64)[rows]
    assert ledger.rows()[1].traffic_bytes == 5 * 8 + 2 * 40 * 8


def test_the_names_are_those_of_torch() -> None:
    for name in (*GATHERS, *SCATTERS):
        if name not in ELSEWHERE:
            packet = getattr(torch.ops.aten, name, None) or getattr(torch.ops.aten, f"{name}_")
            assert canonical(getattr(packet, packet.overloads()[0])) == name
