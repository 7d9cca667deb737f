"""Traffic of the operations that read or write some elements of a tensor, chosen by indices.

A gather reads as many elements of its table as it returns, and the same element
each time anew. A scatter in place writes what it scatters, and reads those
places too if it accumulates; a scatter into a new tensor copies the whole.
Indices are read. Shapes do not tell how many elements of a mask are true, so a
mask writes all the places that it covers.
"""

from collections.abc import Callable, Sequence
from math import ceil, log2, prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from backbone_bench.base.pytree import tensors_of
from backbone_bench.cost.calls import OpCall
from backbone_bench.cost.storage import Some

Tensors = Sequence[Tensor | Some]


# What gathers read of their table, by the arguments of the aten operation and its result.


def _returned(args: Any, out: Any) -> list[Some]:
    return [Some(args[0], _count(out))]


def _returned_once(args: Any, out: Any) -> list[Some]:
    return [_no_more_than_all(args[0], _count(out))]


def _packed(args: Any, out: Any) -> list[Some]:
    """A packed sequence: its padding is not read."""
    return [Some(args[0], out[0].numel())]


def _bags(args: Any, out: Any) -> list[Some]:
    """One row of the table for each index."""
    return [Some(args[0], args[1].numel() * args[0].shape[-1])]


def _of_targets(args: Any, out: Any) -> list[Some]:
    """One score, and one weight if there are any, for each target."""
    return [Some(tensor, args[1].numel()) for tensor in (args[0], args[2]) if tensor is not None]


def _interpolated(args: Any, out: Tensor) -> list[Some]:
    """The neighbours of each point, by mode: bilinear, nearest, bicubic."""
    neighbours = (2 ** args[1].shape[-1], 1, 4 ** args[1].shape[-1])[args[2]]
    return [_no_more_than_all(args[0], out.numel() * neighbours)]


def _aligned(args: Any, out: Any) -> list[Some]:
    """The four neighbours of each sample; everything if the size of a region decides on its samples."""
    input, samples = args[0], args[5] ** 2 if args[5] > 0 else args[0].numel()
    return [_no_more_than_all(input, next(tensors_of(out)).numel() * 4 * samples)]


def _searched(table: int) -> Callable[[Any, Any], list[Some]]:
    """A binary search in a sorted row for each value."""

    def read(args: Any, out: Tensor) -> list[Some]:
        return [_no_more_than_all(args[table], out.numel() * ceil(log2(args[table].shape[-1] + 1)))]

    return read


def _count(out: Any) -> int:
    return sum(tensor.numel() for tensor in tensors_of(out))


def _no_more_than_all(tensor: Tensor, elems: int) -> Some:
    return Some(tensor, min(tensor.numel(), elems))


GATHERS: dict[str, Callable[[Any, Any], list[Some]]] = {
    **dict.fromkeys(("embedding", "index_select", "gather", "index", "take", "masked_select"), _returned),
    "_embedding_bag": _bags,
    "_pack_padded_sequence": _packed,
    **dict.fromkeys(("nll_loss_forward", "nll_loss2d_forward"), _of_targets),
    **dict.fromkeys(("grid_sampler_2d", "grid_sampler_3d"), _interpolated),
    **dict.fromkeys(("torchvision::roi_align", "torchvision::ps_roi_align"), _aligned),
    "searchsorted": _searched(0),
    "bucketize": _searched(1),
    # views that copy, as in exported programs
    **{
        f"{view}_copy": _returned_once
        for view in (
            "alias", "as_strided", "detach", "diagonal", "expand", "narrow", "permute", "select", "slice", "split",
            "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unfold", "unsqueeze", "view",
        )
    },
}  # fmt: skip


# What scatters write.


class Scatter(NamedTuple):
    """Elements that a scatter writes, whether it reads them first, and what it reads of its source."""

    elems: int
    accumulates: bool
    source: list[Some]


def _by_index(args: Any, kwargs: Any) -> Scatter:
    """`scatter` and its kin: one element for each index; the source may be larger."""
    elems = args[2].numel()
    source = [Some(args[3], elems)] if len(args) > 3 and isinstance(args[3], Tensor) else []
    return Scatter(elems, "reduce" in kwargs, source)


def _added_by_index(args: Any, kwargs: Any) -> Scatter:
    return _by_index(args, kwargs)._replace(accumulates=True)


def _slices(args: Any, kwargs: Any) -> Scatter:
    """`index_copy`: the source has the shape of what is written."""
    return Scatter(args[3].numel(), False, [])


def _added_slices(args: Any, kwargs: Any) -> Scatter:
    return _slices(args, kwargs)._replace(accumulates=True)


def _filled_slices(args: Any, kwargs: Any) -> Scatter:
    table, dim, index = args[:3]
    return Scatter(index.numel() * table.numel() // max(1, table.shape[dim]), False, [])


def _put(args: Any, kwargs: Any) -> Scatter:
    return Scatter(args[1].numel(), bool(args[3:4] and args[3]), [])


def _indexed(args: Any, kwargs: Any) -> Scatter:
    """`table[indices] = values`: the indices broadcast; a dimension without an index is written whole."""
    shape, whole = list(args[0].shape), []
    indices = [index for index in args[1] if index is not None]
    for index in args[1]:
        if index is None:
            whole.append(shape.pop(0))
        else:
            del shape[: index.dim() if _is_mask(index) else 1]
    if any(map(_is_mask, indices)):
        places = max(index.numel() for index in indices)
    else:
        places = prod(torch.broadcast_shapes(*(index.shape for index in indices)))
    return Scatter(places * prod(whole) * prod(shape), bool(args[3:4] and args[3]), [])


def _is_mask(index: Tensor) -> bool:
    return index.dtype in (torch.bool, torch.uint8)


def _renormed_rows(args: Any, kwargs: Any) -> Scatter:
    return Scatter(args[1].numel() * args[0].shape[-1], True, [])


SCATTERS: dict[str, Callable[[Any, Any], Scatter]] = {
    "index_put": _indexed,
    "scatter": _by_index,
    **dict.fromkeys(("scatter_add", "scatter_reduce"), _added_by_index),
    "index_copy": _slices,
    **dict.fromkeys(("index_add", "index_reduce"), _added_slices),
    "index_fill": _filled_slices,
    "put": _put,
    "embedding_renorm": _renormed_rows,
}


def touched(call: OpCall, reads: list[Tensor], writes: list[Tensor]) -> tuple[Tensors, Tensors]:
    """What an operation reads and writes: `reads` and `writes`, unless it is a gather or a scatter."""
    if call.op in GATHERS:
        return _with(reads, GATHERS[call.op](call.args, call.out)), writes
    if call.op not in SCATTERS:
        return reads, writes
    elems, accumulates, source = SCATTERS[call.op](call.args, call.kwargs)
    if not call.changes_first:
        return _with(reads, source), writes
    changed = [Some(call.args[0], elems)]
    others = _with(reads[1:], source)  # the first is the table
    return [*others, *(changed if accumulates else [])], changed


def _with(tensors: Sequence[Tensor], parts: Sequence[Some]) -> Tensors:
    """The tensors with some of them replaced by the part that is read, each once."""
    replaced: list[Tensor | Some] = list(tensors)
    for part in parts:
        place = next(at for at, tensor in enumerate(replaced) if tensor is part.tensor)
        replaced[place] = part
    return replaced
