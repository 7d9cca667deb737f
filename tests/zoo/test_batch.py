"""The batch of example inputs, for every form of them that people use; what cannot be known is a guess and says so."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from backbone_bench import profiler
from backbone_bench.base.errors import UserError
from backbone_bench.jobs.job import Job
from backbone_bench.records import FLAGS, ModelCost, Record
from backbone_bench.report.tables.formats import write
from backbone_bench.report.views.columns import COUNT
from backbone_bench.report.views.compare import View
from backbone_bench.report.views.render import answer
from backbone_bench.zoo.batch import ExampleBatch, batch_of
from backbone_bench.zoo.sources import InMemoryModel

IMAGES = torch.zeros(2, 3, 8, 10)
SEQUENCES = torch.zeros(7, 2, 8)
IDS = torch.zeros(2, 16, dtype=torch.int64)
STEP = torch.tensor(5)


@dataclass
class Sample:
    mask: Tensor
    image: Tensor


def ragged() -> Tensor:
    return torch.nested.nested_tensor([torch.zeros(7, 16), torch.zeros(4, 16)], layout=torch.jagged)


def pair() -> list[Tensor]:
    return [torch.zeros(3, 8, 10), torch.zeros(3, 12, 6)]


def with_model(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


class Holds(nn.Linear):
    """A graph layer, whose adjacency is a buffer."""

    def __init__(self) -> None:
        super().__init__(8, 16)
        self.register_buffer("adjacency", torch.zeros(100, 100))


# What the inputs show by themselves, or the model's first layer says: example, model, batch.
SURE: dict[str, tuple[Callable[[], tuple[Any, ...]], nn.Module | None, int]] = {
    "images": (lambda: (IMAGES,), None, 2),
    "a video": (lambda: (torch.zeros(2, 4, 3, 8, 8),), None, 2),
    "a list of images": (lambda: (pair(),), None, 2),
    "a list of images with targets": (lambda: (pair(), [{"boxes": torch.zeros(5, 4)}, {}]), None, 2),
    "a list of dictionaries": (lambda: ([{"image": image, "height": 8} for image in pair()],), None, 2),
    "a list in a dictionary": (lambda: ({"images": pair(), "step": STEP},), None, 2),
    "a list of texts": (lambda: (["a dog", "a cat", "a bench"],), None, 3),
    "maps of a pyramid": (lambda: ([torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 4, 4)],), None, 1),
    "images with states": (lambda: (IMAGES, [torch.zeros(4, 16)] * 3), None, 2),
    "images in a tuple": (lambda: ((IMAGES, torch.zeros(9)),), None, 2),
    "a mask before the images": (lambda: (torch.zeros(8, 8, dtype=torch.bool), IMAGES), None, 2),
    "a step before the images": (lambda: (STEP, IMAGES), None, 2),
    "positions before the images": (lambda: (torch.arange(16), IMAGES), None, 2),
    "a dataclass": (lambda: (Sample(torch.zeros(8, 8), IMAGES),), None, 2),
    "a packed sequence": (lambda: (pack_sequence([torch.zeros(length, 4) for length in (7, 3, 1)]),), None, 3),
    "a nested tensor": (lambda: (ragged(),), None, 2),
    "a batch of graphs": (lambda: (SimpleNamespace(num_graphs=4, x=torch.zeros(50, 8)),), None, 4),
    "a dictionary of tensors with a batch": (lambda: (SimpleNamespace(batch_size=torch.Size((6, 2))),), None, 6),
    "an image without batch": (lambda: (torch.zeros(3, 8, 10),), with_model(nn.Conv2d(3, 4, 3)), 1),
    "a volume without batch": (lambda: (torch.zeros(3, 4, 8, 10),), with_model(nn.Conv3d(3, 4, 3)), 1),
    "signals": (lambda: (torch.zeros(2, 3, 80),), with_model(nn.Conv1d(3, 4, 3)), 2),
    "rows": (lambda: (torch.zeros(5, 8),), with_model(nn.Linear(8, 4)), 5),
    "texts": (lambda: (IDS, torch.ones_like(IDS)), with_model(nn.Embedding(9, 4)), 2),
    "a recurrent network": (lambda: (SEQUENCES,), nn.LSTM(8, 4), 2),
    "one with the batch first": (lambda: (SEQUENCES,), nn.LSTM(8, 4, batch_first=True), 7),
    "one without batch": (lambda: (torch.zeros(7, 8),), nn.GRU(8, 4), 1),
    "attention": (lambda: (SEQUENCES,) * 3, nn.MultiheadAttention(8, 2), 2),
}


@pytest.mark.parametrize("kind", SURE)
def test_the_batch_is_known_where_the_inputs_or_the_first_layer_show_it(kind: str) -> None:
    example, model, batch = SURE[kind]
    assert batch_of((example(), {}), model, "net", 1) == ExampleBatch(batch)


# A first tensor whose meaning nobody can know: example, model, the guess.
GUESSES: dict[str, tuple[tuple[Any, ...], nn.Module | None, int]] = {
    "sequences": ((SEQUENCES,), None, 7),
    "sequences of a network whose layers want them so": ((SEQUENCES,), with_model(nn.Linear(8, 8), nn.LSTM(8, 4)), 2),
    "ids of such a network": ((IDS,), with_model(nn.Embedding(9, 8), nn.LSTM(8, 4)), 16),
    "a matrix of edges before the nodes": ((torch.zeros(2, 300, dtype=torch.int64), torch.zeros(50, 8)), None, 50),
    "nodes of one graph": ((torch.zeros(100, 8),), Holds(), 100),
    "ids alone": ((IDS,), None, 2),
    "numbers": ((STEP,), None, 1),
}


@pytest.mark.parametrize("kind", GUESSES)
def test_a_first_tensor_without_a_known_meaning_is_a_guess(kind: str) -> None:
    example, model, batch = GUESSES[kind]
    assert batch_of((example, {}), model, "net", 1) == ExampleBatch(batch, is_guess=True)


def test_inputs_without_a_tensor_have_no_batch() -> None:
    assert batch_of((("text", 3), {}), None, "net", 1) is None


# What people say.


class SequenceFirst(nn.Module):
    """Takes (time, batch, features), which nothing in it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def example_inputs(self) -> Tensor:
        return SEQUENCES


def count(model: nn.Module, example: Any = None, batch: int = 1) -> Record:
    given: Any = None if example is None else ((example,), {})
    return profiler.count(Job("object:net", {}, batch=batch), InMemoryModel(model, given))


def shown(record: Record) -> str:
    return write(answer([record], View(COUNT)), "md")


def test_a_guess_is_told_below_the_table_and_an_ordinary_image_is_none() -> None:
    assert "batch_guessed" in shown(count(SequenceFirst()))
    assert FLAGS["batch_guessed"].meaning in " ".join(shown(count(SequenceFirst())).split())
    assert "batch_guessed" not in shown(count(nn.Conv2d(3, 4, 3), IMAGES))


def test_the_batch_size_option_settles_a_guess() -> None:
    record = count(SequenceFirst(), batch=2)
    assert isinstance(record.cost, ModelCost)
    assert (record.workload.batch, record.workload.inputs, record.flags) == (2, ("7x2x8:float32",), ())
    assert record.cost.access_elems == 7 * (8 + 16) + 8 * 16  # of one sequence


@pytest.mark.parametrize("batch", [4, 14])
def test_a_batch_that_no_input_has_is_refused(batch: int) -> None:
    with pytest.raises(UserError, match=f"have a batch of 7, not {batch}: give --input .* or let the model say it"):
        count(SequenceFirst(), batch=batch)


def test_a_known_batch_is_not_overruled() -> None:
    with pytest.raises(UserError, match="have a batch of 2, not 8"):
        count(nn.Conv2d(3, 4, 3), IMAGES, batch=8)


def test_a_model_says_its_batch() -> None:
    model = SequenceFirst()
    model.example_batch = 2  # type: ignore[assignment]  # an attribute of the user's own
    record = count(model)
    assert (record.workload.batch, record.flags) == (2, ())
    with pytest.raises(UserError, match="have a batch of 2, not 7"):
        count(model, batch=7)


@pytest.mark.parametrize("said", [0, -1, True, "2", 1.5])
def test_a_batch_that_is_no_number_of_images_is_refused(said: object) -> None:
    model = SequenceFirst()
    model.example_batch = said  # type: ignore[assignment]
    with pytest.raises(UserError, match=r"example_batch is .*: make it the number of images in its example inputs"):
        count(model)


def test_inputs_without_an_image_are_refused() -> None:
    with pytest.raises(UserError, match="hold no image: their batch is 0"):
        count(nn.Conv2d(3, 4, 3), torch.zeros(0, 3, 8, 8))


class OfAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, images: list[Tensor]) -> list[Tensor]:
        return [self.conv(image[None]) for image in images]


def test_a_list_of_images_is_counted_as_a_batch_of_its_length() -> None:
    record = count(OfAList(), pair())
    assert isinstance(record.cost, ModelCost)
    assert (record.workload.batch, record.flags) == (2, ())
    assert record.cost.flops == (8 * 10 + 12 * 6) * 27 * 4


def test_a_packed_sequence_is_a_batch_of_its_sequences() -> None:
    packed = pack_sequence([torch.zeros(length, 4) for length in (7, 3, 1)])
    record = count(nn.LSTM(4, 5), packed)
    assert isinstance(record.cost, ModelCost)
    assert (record.workload.batch, record.flags) == (3, ())
    assert record.cost.flops == 11 * 4 * 5 * (4 + 5)
