"""The batch of a model's example inputs: how many images (or texts, graphs, sequences) one call takes.

A model can say it with an attribute `example_batch`. Otherwise the inputs show it: a list has one item an image, a
packed sequence and a nested tensor know their batch, an image tensor has it in front, and other tensors have it where
the model's first layer wants it. Where none of this holds the batch is a guess, and the record says so.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.rnn import PackedSequence

from backbone_bench.base.errors import UserError
from backbone_bench.base.pytree import parts, tensors_of
from backbone_bench.zoo.user import Example

SAY_IT = "example_batch"  # a model's attribute, or a property
_IMAGE_DIMS = 4  # an image with its batch; a video has five


class ExampleBatch(NamedTuple):
    """Number of images in the inputs of one call, and whether it is only a guess."""

    size: int
    is_guess: bool = False


def batch_of(example: Example, model: nn.Module | None, name: str, requested: int) -> ExampleBatch | None:
    """The batch of example inputs; None if they hold nothing that could have one.

    `requested` is that of `--batch-size`, 1 if it is left out: it settles what would be a guess. Raises UserError for
    an `example_batch` that is no positive number.
    """
    said = getattr(model, SAY_IT, None)
    if said is not None:
        if not isinstance(said, int) or isinstance(said, bool) or said < 1:
            raise UserError(f"{name}: {SAY_IT} is {said!r}: make it the number of images in its example inputs.")
        return ExampleBatch(said)
    found = _seen(example, model)
    if found is not None and found.is_guess and requested != 1 and _is_possible(requested, example):
        return ExampleBatch(requested)
    return found


def _is_possible(batch: int, example: Example) -> bool:
    """Whether one of the first two dimensions of an input has this size."""
    return any(batch in tensor.shape[:2] for tensor in tensors_of(example))


def _seen(example: Example, model: nn.Module | None) -> ExampleBatch | None:
    args, kwargs = example
    layers = _Layers(model)
    values = [value for value in (*args, *kwargs.values()) if not (isinstance(value, Tensor) and not value.dim())]
    if len(values) == 1 and layers.takes_unbatched(values[0]):
        return ExampleBatch(1)
    for place, value in enumerate(values):
        for size in _known(value, is_first=not place):
            return ExampleBatch(size)
    every = list(tensors_of(example))
    tensors = [tensor for tensor in every if tensor.dim()]
    if not tensors:
        return ExampleBatch(1, is_guess=True) if every else None
    return _from_layers(tensors, layers)


def _from_layers(tensors: list[Tensor], layers: "_Layers") -> ExampleBatch:
    for tensor in tensors:
        if (size := layers.batch_of(tensor, is_alone=len(tensors) == 1)) is not None:
            return ExampleBatch(size)
    # Masks, positions and edges are integers or truth values, so a floating-point input says more.
    likely = next((tensor for tensor in tensors if tensor.is_floating_point()), tensors[0])
    is_sequence = likely.dim() > (2 if likely.is_floating_point() else 1)
    return ExampleBatch(likely.shape[1 if layers.sequence_first and is_sequence else 0], is_guess=True)


def _known(value: Any, *, is_first: bool) -> Iterator[int]:
    """The batches that a value shows itself, in the order of its parts."""
    if isinstance(value, PackedSequence):
        yield int(value.batch_sizes[0])
    elif isinstance(value, Tensor):
        if value.is_nested or (value.dim() >= _IMAGE_DIMS and value.is_floating_point()):
            yield value.size(0)
    elif isinstance(value, list) and _has_an_item_per_image(value, is_first=is_first):
        yield len(value)
    elif (size := _named(value)) is not None:
        yield size
    else:
        for part in parts(value):
            yield from _known(part, is_first=is_first)


def _named(value: Any) -> int | None:
    """The batch that an object gives by name, as those of libraries for graphs and for dictionaries of tensors do."""
    for name in ("num_graphs", "batch_size"):
        size = None if isinstance(value, type) else getattr(value, name, None)
        if isinstance(size, torch.Size) and size:
            size = size[0]
        if isinstance(size, int) and not isinstance(size, bool):
            return size
    return None


def _has_an_item_per_image(items: list[Any], *, is_first: bool) -> bool:
    """Whether a list has one item for each image.

    The maps of a pyramid have a batch each, and a list of tensors after the first input may be states of layers.
    """
    if all(isinstance(item, Tensor) for item in items):
        return is_first and any(item.dim() < _IMAGE_DIMS for item in items)
    return all(isinstance(item, str) or next(tensors_of(item), None) is not None for item in items)


class _Layers:
    """What the layers of a model show of the order of its inputs."""

    def __init__(self, model: nn.Module | None) -> None:
        modules = [] if model is None else list(model.modules())
        self._order = _order(model)
        self._first = next((module for module in modules if module._parameters), None)
        self._buffers = [] if model is None else list(model.buffers())
        self.sequence_first = {_order(module) for module in modules} - {None} == {False}

    def takes_unbatched(self, value: Any) -> bool:
        """Whether the value is one image, signal or volume, without batch, for the convolution that is first."""
        layer = self._first
        if not isinstance(layer, _ConvNd) or not isinstance(value, Tensor) or value.is_nested:
            return False
        return value.dim() == len(layer.kernel_size) + 1 and value.shape[0] == layer.in_channels

    def batch_of(self, tensor: Tensor, *, is_alone: bool) -> int | None:
        """The batch of a tensor whose form is that of the first layer's inputs; None for any other."""
        layer, dims = self._first, tensor.dim()
        if self._order is not None and tensor.is_floating_point() and dims in (2, 3):
            return 1 if dims == 2 else tensor.shape[0 if self._order else 1]
        if isinstance(layer, _ConvNd):
            is_batched = dims == len(layer.kernel_size) + 2 and tensor.shape[1] == layer.in_channels
            return tensor.shape[0] if is_batched else None
        if isinstance(layer, nn.Linear) and is_alone and dims == 2 and tensor.is_floating_point():
            return None if any(tensor.shape[0] in buffer.shape for buffer in self._buffers) else tensor.shape[0]
        if isinstance(layer, nn.Embedding) and dims == 2 and not self.sequence_first:
            return tensor.shape[0] if tensor.dtype in (torch.int64, torch.int32) else None
        return None


def _order(module: nn.Module | None) -> bool | None:
    """Whether a module takes the batch first; None if it does not say so, as recurrent and attention layers do."""
    order = getattr(module, "batch_first", None)
    return order if isinstance(order, bool) else None
