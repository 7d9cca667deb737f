"""Load a model and its inputs from a model reference.

`vovnet39` is a network of the zoo; `timm:NAME` and `torchvision:NAME` come from
the extras, without weights; `package.module:factory`, `path/to/file.py:factory`
and `exported:model.pt2` are the user's own (`zoo.user`). Nothing is downloaded.
A Python program passes the model itself (`InMemoryModel`), which is copied.
"""

import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from backbone_bench.base.errors import UserError, did_you_mean
from backbone_bench.base.pytree import map_tensors, tensors_of
from backbone_bench.records import Flag, ModelSource, Scalar, TensorSpec, source_of
from backbone_bench.zoo import catalogue, depth, modes, registry, user
from backbone_bench.zoo.batch import SAY_IT, batch_of
from backbone_bench.zoo.user import Example

ImageShape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class InMemoryModel:
    """A model, example inputs with their batch, or both, passed by a Python program instead of a reference."""

    model: nn.Module | None = None
    example: Example | None = None


NO_MODEL = InMemoryModel()


@dataclass(frozen=True, slots=True)
class Request:
    """A requested model and the requested inputs."""

    model: str  # reference, or the display name of a model in memory
    arguments: Mapping[str, Scalar] = field(default_factory=dict)
    inputs: tuple[TensorSpec, ...] = ()  # shapes of one image: the batch is added
    size: int | None = None  # side of a square image, if no inputs are given
    batch: int = 1
    in_memory: InMemoryModel = NO_MODEL

    @property
    def source(self) -> ModelSource:
        return source_of(self.model) if self.in_memory.model is None else "object"


class Inputs(NamedTuple):
    """Arguments of a model, nested as the model expects; tensors are on meta if only their shape is known."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    batch: int
    batch_is_guess: bool = False

    @property
    def flags(self) -> tuple[Flag, ...]:
        return ("batch_guessed",) if self.batch_is_guess else ()

    def describe(self) -> tuple[str, ...]:
        """Shapes and dtypes of all tensors as text, in order."""
        named = [(None, arg) for arg in self.args] + list(self.kwargs.items())
        return tuple(
            str(TensorSpec(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), name))
            for name, value in named
            for tensor in tensors_of(value)
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """A built model with inputs that it can be called with."""

    source: ModelSource
    model: nn.Module
    inputs: Inputs

    @property
    def lacks_values(self) -> bool:
        """Whether the model was built on the meta device, by `load` or by the user's own code."""
        return any(parameter.is_meta for parameter in self.model.parameters())

    @property
    def parameter_bytes(self) -> int:
        return sum(parameter.numel() * parameter.element_size() for parameter in self.model.parameters())

    def cast(self, dtype: torch.dtype) -> "Loaded":
        """Convert the model (in place) and its floating-point inputs to `dtype`."""

        def change(tensor: Tensor) -> Tensor:
            return tensor.to(dtype) if tensor.is_floating_point() else tensor

        args, kwargs = map_tensors((self.inputs.args, self.inputs.kwargs), change)
        return replace(self, model=self.model.to(dtype), inputs=self.inputs._replace(args=args, kwargs=kwargs))


def load(request: Request, *, on_meta: bool) -> Loaded:
    """Build the model and its inputs; the model is in eval mode, or in the mode in which it was exported.

    With `on_meta` models of the zoo and the extras are built without values.
    Raises UserError for an error that the user can correct.
    """
    source = request.source
    name = request.model.partition(":")[2]
    shape: ImageShape | None = None  # of one image, if the source knows it
    match source:
        case "zoo":
            model, shape = _from_zoo(request, on_meta=on_meta)
        case "timm":
            model, shape = _from_timm(name, request.arguments, on_meta=on_meta)
        case "torchvision":
            model, shape = _from_torchvision(name, request.arguments, on_meta=on_meta)
        case "exported":  # keeps the mode in which it was exported
            model, example = user.exported(name, request.arguments)
            return Loaded(source, model, _inputs(request, model, shape, lambda: example))
        case "object":
            assert request.in_memory.model is not None
            depth.make_room(request.in_memory.model, request.model)
            model = user.copied(request.in_memory.model, request.model)
            return Loaded(source, model, _inputs(request, model, shape, lambda: _own_example(model, request)))
        case _:
            model = user.build(request.model, request.arguments)
    depth.make_room(model, request.model)
    if shape is None and request.size is not None:
        shape = _image_shape(_own_example(model, request))
    ready = modes.evaluating(model)
    return Loaded(source, ready, _inputs(request, ready, shape, lambda: _own_example(model, request)))


def _from_zoo(request: Request, *, on_meta: bool) -> tuple[nn.Module, ImageShape]:
    if request.model.endswith((".pt", ".pth")):
        raise UserError(
            f"{request.model} is a pickle, and loading a pickle can run any code: "
            f"export the model with torch.export.save and name it exported:model.pt2."
        )
    entry = catalogue.find(request.model)
    model = registry.load(entry.name, entry.module)
    user.check_arguments(model.build, request.arguments, request.model)
    build = partial(registry.build, model, request.arguments, on_meta=on_meta)
    return user.run(build, request.model), model.input_shape


def _from_timm(name: str, arguments: Mapping[str, Scalar], *, on_meta: bool) -> tuple[nn.Module, ImageShape]:
    timm = _extra("timm")
    if not timm.is_model(name):
        raise UserError(
            f"timm has no model {name!r}. {did_you_mean(name, timm.list_models(), 'See timm.list_models().')}"
        )
    _refuse_weights(arguments, "pretrained", "checkpoint_path")
    build = partial(timm.create_model, name, **{"pretrained": False, **arguments})
    model: Any = user.run(lambda: _built(build, on_meta=on_meta), f"timm:{name}")
    return model, _timm_shape(model.pretrained_cfg["input_size"], arguments)


def _timm_shape(default: ImageShape, arguments: Mapping[str, Scalar]) -> ImageShape:
    """Image shape by timm's arguments `in_chans` and `img_size`; the model's configuration keeps the default."""
    channels, side = arguments.get("in_chans"), arguments.get("img_size")
    sides = (side, side) if isinstance(side, int) else default[1:]
    return (channels if isinstance(channels, int) else default[0], *sides)


# Without init_weights these torchvision networks warn and draw truncated-normal weights, which takes minutes.
_SLOW_TO_DRAW = frozenset(("googlenet", "inception_v3"))


def _from_torchvision(
    name: str, arguments: Mapping[str, Scalar], *, on_meta: bool
) -> tuple[nn.Module, ImageShape | None]:
    models = _extra("torchvision").models
    if name not in models.list_models():
        raise UserError(
            f"torchvision has no model {name!r}. "
            f"{did_you_mean(name, models.list_models(), 'See torchvision.models.list_models().')}"
        )
    _refuse_weights(arguments, "weights", "weights_backbone")
    takes = inspect.signature(models.get_model_builder(name)).parameters
    no_weights = {part: None for part in ("weights", "weights_backbone") if part in takes}  # a detector takes both
    plain = {"init_weights": False} if name.removeprefix("quantized_") in _SLOW_TO_DRAW else {}
    build = partial(models.get_model, name, **{**no_weights, **plain, **arguments})
    model = user.run(lambda: _built(build, on_meta=on_meta), f"torchvision:{name}")
    size = getattr(model, "image_size", None) or _crop(models.get_model_weights(name).DEFAULT)
    return model, (3, size, size) if size else None


def _crop(weights: Any) -> int | None:
    """Image size at which torchvision evaluated the weights; None if it is not a square."""
    crop: Any = getattr(weights.transforms(), "crop_size", ())
    return crop[0] if len(crop) == 1 else None


def _refuse_weights(arguments: Mapping[str, Scalar], *names: str) -> None:
    for name in names:
        if arguments.get(name):
            raise UserError(
                f"--arg {name}={arguments[name]} would load weights, which no count or measurement needs: omit it."
            )


def _built(build: Callable[[], nn.Module], *, on_meta: bool) -> nn.Module:
    """Build on meta if `on_meta`, but on the CPU if a constructor reads values."""
    if not on_meta:
        return build()
    try:
        with registry.shapes_only():
            return build()
    except (RuntimeError, TypeError, ValueError):  # a bug of the model itself raises again on the CPU
        with registry.uninitialised():
            return build()


def _extra(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(f"{name} is not installed: pip install 'backbone-bench[{name}]'.") from None
    except RuntimeError as error:  # its compiled part is for another torch version
        raise UserError(
            f"{name} does not fit torch {torch.__version__}: {error}. Install the {name} release for this torch."
        ) from None


# Inputs.


def _inputs(request: Request, model: nn.Module, shape: ImageShape | None, own: Callable[[], Example | None]) -> Inputs:
    """Inputs of the request: tensors in memory, else the requested shapes, else the model's own example."""
    if request.in_memory.example is not None:  # copied, because a model may change its inputs in place
        return _batched(request, model, map_tensors(request.in_memory.example, _copy))
    return _from_shapes(request, shape) or _batched(request, model, own())


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def _from_shapes(request: Request, shape: ImageShape | None) -> Inputs | None:
    """Inputs from the requested shapes, else from the requested or default image size; None if none is known."""
    specs = request.inputs
    if not specs and request.size is not None:
        channels = shape[0] if shape else 3
        specs = (TensorSpec((channels, request.size, request.size)),)
    elif not specs and shape is not None:
        specs = (TensorSpec(shape),)
    tensors = [(spec.name, _empty(spec, request.batch)) for spec in specs]
    if not tensors:
        return None
    return Inputs(
        tuple(tensor for name, tensor in tensors if name is None),
        {name: tensor for name, tensor in tensors if name is not None},
        request.batch,
    )


def _empty(spec: TensorSpec, batch: int) -> Tensor:
    dtype = getattr(torch, spec.dtype, None)
    if not isinstance(dtype, torch.dtype):
        known = [name for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)]
        raise UserError(f"{spec.dtype!r} is not a type of torch. {did_you_mean(spec.dtype, known, 'Try float32.')}")
    shape = (batch, *spec.shape)
    if math.prod(filter(None, shape)) * dtype.itemsize >= 1 << 63:
        raise UserError(f"{spec.batched(batch)} has more bytes than torch can count: give a smaller --input.")
    return torch.empty(shape, dtype=dtype, device="meta")


def _own_example(model: nn.Module, request: Request) -> Example | None:
    """The model's `example_inputs()` (tuple or dictionary) or Lightning's `example_input_array`, both with batch."""
    make = getattr(model, "example_inputs", None)
    example = user.run(make, f"{request.model}: example_inputs()") if callable(make) else None
    if example is None:
        example = getattr(model, "example_input_array", None)
    return None if example is None else called_with(example)


def called_with(example: Any) -> Example:
    """Example inputs as (args, kwargs): a mapping is keywords, a tuple positional arguments, else one argument.

    Raises UserError for a key that is no Python name, and for a value that is nested too deep.
    """
    depth.check_example(example)
    if isinstance(example, Mapping):
        for name in example:
            if not str(name).isidentifier():
                raise UserError(f"The example inputs are keyword arguments, and {name!r} is not a valid keyword.")
        return (), dict(example)
    return (example if isinstance(example, tuple) else (example,)), {}


def _image_shape(example: Example | None) -> ImageShape | None:
    """Shape of the image in an example of exactly one (N, C, H, W) tensor, else None; `size` needs its channels."""
    shapes = [tuple(tensor.shape) for tensor in tensors_of(example)]
    return shapes[0][1:] if len(shapes) == 1 and len(shapes[0]) == 4 else None


def _batched(request: Request, model: nn.Module, example: Example | None) -> Inputs:
    """Inputs from an example, with the batch that the model, `--batch-size` or their form says."""
    if example is None:
        raise UserError(f"{request.model} does not say what it takes: give --input 3x224x224 (the batch is added).")
    own = batch_of(example, model, request.model, request.batch)
    if own is None:
        raise UserError(f"The example inputs of {request.model} hold no tensor: give --input 3x224x224.")
    if own.size < 1:
        raise UserError(f"The example inputs of {request.model} hold no image: their batch is {own.size}.")
    if request.batch not in (1, own.size):
        raise UserError(
            f"The example inputs of {request.model} have a batch of {own.size}, not {request.batch}: "
            f"give --input to choose the batch, or let the model say it with an attribute {SAY_IT}."
        )
    return Inputs(*example, own.size, own.is_guess)
