"""Workload: the model, settings, inputs and batch that really ran."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import KW_ONLY, fields, replace
from typing import Annotated, Literal, Self

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from backbone_bench.base.errors import UserError
from backbone_bench.records.missing import STRICT, Batch
from backbone_bench.records.setting import Setting

ModelSource = Literal["zoo", "timm", "torchvision", "import", "file", "exported", "object"]


def source_of(model: str) -> ModelSource:
    """The source that a model's name refers to; never `object`, which is a model passed in by a Python program."""
    scheme, colon, _ = model.partition(":")
    match scheme if colon else "zoo":
        case "zoo" | "timm" | "torchvision" | "exported" as named:
            return named
        case _:
            return "file" if model.rpartition(":")[0].endswith(".py") else "import"


_SIZE = "[0-9]{1,18}"


@dataclass(frozen=True, slots=True, config=STRICT)
class TensorSpec:
    """Shape and type of one input, batch first: `1x3x224x224:float32`, or `mask=1x16:bool` for a keyword argument.

    A tensor without dimensions is written `scalar`.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str | None = None

    _FORM = re.compile(rf"(?:(?P<name>[^\W\d]\w*)=)?(?P<shape>scalar|{_SIZE}(?:x{_SIZE})*)(?::(?P<dtype>\w+))?")

    def __str__(self) -> str:
        name = f"{self.name}=" if self.name else ""
        return f"{name}{'x'.join(map(str, self.shape)) or 'scalar'}:{self.dtype}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `[name=]DxDx…[:dtype]`. Raises UserError for any other text."""
        match = re.fullmatch(cls._FORM, text)
        if match is None:
            raise UserError(f"{text!r} is not an input shape: write it as 3x224x224 or 3x224x224:float16.")
        shape = () if match["shape"] == "scalar" else tuple(map(int, match["shape"].split("x")))
        return cls(shape, match["dtype"] or "float32", match["name"])

    @property
    def square(self) -> int | None:
        """Side length of a square image (batch first); None for any other shape."""
        return self.shape[-1] if len(self.shape) == 4 and self.shape[-1] == self.shape[-2] else None

    def batched(self, images: int) -> Self:
        """The spec with a batch dimension in front."""
        return replace(self, shape=(images, *self.shape))


def _spec(text: str) -> str:
    try:
        TensorSpec.parse(text)
    except UserError as error:
        raise ValueError(str(error).rstrip(".")) from None
    return text


SpecText = Annotated[str, AfterValidator(_spec)]  # a `TensorSpec` as text


@dataclass(frozen=True, slots=True, config=STRICT)
class Workload(Setting):
    """Everything that changes what runs: records of equal workloads can be compared side by side."""

    _: KW_ONLY
    source: ModelSource
    inputs: tuple[SpecText, ...]  # the batch included
    batch: Batch

    @property
    def names_code(self) -> bool:
        """Whether the model is user code, judged by its name: the `source` in a foreign record may be false."""
        return source_of(self.model) not in ("zoo", "timm", "torchvision")

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The inputs as `TensorSpec`s."""
        return tuple(map(TensorSpec.parse, self.inputs))

    @property
    def key(self) -> str:
        """Short hash of the workload, the same in every process."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def input_specs(texts: Iterable[str], image_size: int | None) -> tuple[str, ...]:
    """Parse the inputs that a user typed, without their batch, into their full form.

    Raises UserError for a text that is no shape, and where an image size sets the shape as well.
    """
    specs = tuple(str(TensorSpec.parse(text)) for text in texts)
    if specs and image_size is not None:
        raise UserError("--input and --input-size both set the input shape: give one of them.")
    return specs
