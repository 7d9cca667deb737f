"""What a tensor stores: its dense parts, whatever its layout.

A sparse tensor is counted by its values and indices, a nested or masked tensor
by the tensors that it holds, and none of them by its shape.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.masked import MaskedTensor

_DENSE = (torch.strided, torch._mkldnn)  # type: ignore[attr-defined]  # missing in torch's stubs
_INDICES = {
    torch.sparse_csr: ("crow_indices", "col_indices"), torch.sparse_bsr: ("crow_indices", "col_indices"),
    torch.sparse_csc: ("ccol_indices", "row_indices"), torch.sparse_bsc: ("ccol_indices", "row_indices"),
}  # fmt: skip
_MASKED = ("_masked_data", "_masked_mask")  # a masked tensor does not name its parts itself


class Some(NamedTuple):
    """Some elements of a tensor."""

    tensor: Tensor
    elems: int


def is_dense(tensor: Tensor) -> bool:
    """Whether the tensor stores one element for each element of its shape."""
    return tensor.layout in _DENSE and not tensor.is_nested


def is_plain(tensor: Tensor) -> bool:
    """Whether the tensor is described by its shape and dtype: neither sparse, nor nested, nor quantized."""
    return tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_quantized


@cache
def is_wrapper(kind: type) -> bool:
    """Whether tensors of this type hold other tensors, to which they pass every operation on, and name them."""
    if getattr(kind, "__torch_dispatch__", None) in (None, Tensor.__torch_dispatch__):
        return False
    return hasattr(kind, "__tensor_flatten__") or issubclass(kind, MaskedTensor)


def parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that a tensor stores, its values first; a dense or a nested strided tensor itself."""
    if tensor.layout is torch.strided and not is_wrapper(type(tensor)):
        return (tensor,)
    if tensor.is_meta and not is_wrapper(type(tensor)):
        raise TypeError(f"a tensor of the layout {tensor.layout} stores nothing on the meta device: use a real one")
    return tuple(part for inner in _inner(tensor) for part in parts(inner)) or (tensor,)


def with_parts(tensor: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of a tensor that holds others, with each of them changed; raise TypeError for a masked tensor."""
    if isinstance(tensor, MaskedTensor):
        raise TypeError("a masked tensor cannot be made from its parts")
    names, context = tensor.__tensor_flatten__()  # type: ignore[attr-defined]  # not in torch's stubs
    changed = {name: change(getattr(tensor, name)) for name in names}
    return type(tensor).__tensor_unflatten__(changed, context, tensor.shape, tensor.stride())  # type: ignore[attr-defined]


def values(tensor: Tensor) -> Tensor:
    """The dense tensor of a tensor's values."""
    return parts(tensor)[0]


def storages(tensor: Tensor | None) -> tuple[int, ...]:
    """Identities of the storages of a tensor while they are alive, that of its values first; mkldnn shows none."""
    if tensor is None:
        return ()
    return tuple(part.untyped_storage()._cdata for part in parts(tensor) if torch._C._has_storage(part))


def sizes(tensors: Iterable[Tensor | Some]) -> tuple[int, int]:
    """Elements and bytes that tensors, or parts of them, store."""
    elems = size = 0
    for tensor in tensors:
        if isinstance(tensor, Some):
            elems += tensor.elems
            size += tensor.elems * tensor.tensor.element_size()
            continue
        for part in parts(tensor):
            count = part.numel()
            elems += count
            size += count * part.element_size()
    return elems, size


def _inner(tensor: Tensor) -> list[Tensor]:
    """The tensors within a tensor; none if torch does not show them."""
    if tensor.layout is torch.sparse_coo:
        return [tensor._values(), tensor._indices()]
    if tensor.layout in _INDICES:
        return [tensor.values(), *(getattr(tensor, name)() for name in _INDICES[tensor.layout])]
    if not is_wrapper(type(tensor)):
        return []
    names = _MASKED if isinstance(tensor, MaskedTensor) else tensor.__tensor_flatten__()[0]  # type: ignore[attr-defined]
    return [getattr(tensor, name) for name in names]
