"""Random choices of a model: the same count every time, and a flag where another seed gives another one."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from backbone_bench import cost, profiler
from backbone_bench.cost import count
from backbone_bench.jobs.job import Job
from backbone_bench.records import FLAGS, ModelCost, OpCost
from backbone_bench.report.tables.formats import write
from backbone_bench.report.views.columns import COUNT
from backbone_bench.report.views.compare import View
from backbone_bench.report.views.render import answer
from backbone_bench.zoo.sources import InMemoryModel
from tests.report.samples import counted

IMAGE = torch.zeros(1, 4, 8, 8)
LAYER = 64 * 4 * 4  # FLOPs of one convolution


class Skips(nn.Module):
    """Ten layers, each skipped with a chance of one half in training."""

    def __init__(self, draw: Callable[["Skips"], Any]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(10))
        self.python, self.numpy = random.Random(3), np.random.default_rng(3)
        self.torch = torch.Generator().manual_seed(3)
        self.draw = draw

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            if not self.training or self.draw(self) < 0.5:
                x = layer(x)
        return x


SOURCES: dict[str, Callable[[Skips], Any]] = {
    "Python": lambda _: random.random(),
    "numpy": lambda _: np.random.rand(),
    "torch, as a number": lambda _: torch.rand(1).item(),
    "torch, as a truth value": lambda _: torch.rand(1),
    "a generator of Python": lambda model: model.python.random(),
    "a generator of numpy": lambda model: model.numpy.random(),
    "a generator of torch": lambda model: torch.rand(1, generator=model.torch).item(),
}


@pytest.mark.parametrize("source", SOURCES)
def test_layers_that_are_skipped_at_random_are_counted_the_same_every_time_and_told(source: str) -> None:
    model = Skips(SOURCES[source]).train()
    first = count(model, (IMAGE,))
    assert first.varies
    assert 0 < first.flops < 10 * LAYER
    assert all(count(model, (IMAGE,)) == first for _ in range(5))


def test_another_seed_makes_other_choices() -> None:
    model = Skips(SOURCES["Python"]).train()
    assert len({count(model, (IMAGE,), seed=seed).flops for seed in range(8)}) > 1


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_not_skipped_does_not_vary(source: str) -> None:
    found = count(Skips(SOURCES[source]).eval(), (IMAGE,))
    assert (found.flops, found.varies) == (10 * LAYER, False)


class Noise(nn.Module):
    """Draws, but does the same work whatever it draws."""

    def forward(self, x: Tensor) -> Tensor:
        return x * random.random() + torch.rand(x.shape[1:])


class ReadsValues(nn.Module):
    """Needs values, so that dropout draws for real."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x) if x.sum().item() > -1e9 else x


@pytest.mark.parametrize("model", [nn.Dropout(0.5), nn.Dropout2d(0.5), Noise(), ReadsValues(), nn.RReLU()])
def test_noise_that_changes_no_count_is_no_variation(model: nn.Module) -> None:
    assert not count(model.train(), (IMAGE,)).varies


def test_the_random_state_of_the_caller_is_left_as_it_was() -> None:
    model = Skips(lambda own: sum(draw(own) for draw in SOURCES.values()) / len(SOURCES)).train()
    seed_all(model)
    expected = [float(draw(model)) for draw in SOURCES.values()]
    seed_all(model)
    assert count(model, (IMAGE,)).varies
    assert [float(draw(model)) for draw in SOURCES.values()] == expected


def seed_all(model: Skips) -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    model.python.seed(1)
    model.torch.manual_seed(1)
    model.numpy = np.random.default_rng(1)


def test_a_factory_that_chooses_at_random_builds_the_same_model_every_time(tmp_path: Any) -> None:
    net = tmp_path / "net.py"
    net.write_text(
        "import random\nfrom torch import nn\ndef build(): return nn.Conv2d(3, random.randint(1, 10**6), 1)\n"
    )
    job = Job(f"{net}:build", {}, inputs=("3x1x1:float32",))
    before = random.getstate()
    found = {params(profiler.count(job).cost) for _ in range(3)}
    assert len(found) == 1
    assert {params(profiler.count(replace(job, seed=1)).cost)} != found
    assert random.getstate() == before


def params(found: object) -> int:
    assert isinstance(found, ModelCost)
    return found.params


def test_the_seed_of_the_job_chooses_and_the_table_says_so() -> None:
    assert cost.count is count
    model = Skips(SOURCES["Python"])
    jobs = [Job("object:net", {}, mode="train", seed=seed) for seed in (0, 0, 1, 2, 3)]
    made = [profiler.count(job, InMemoryModel(model, ((IMAGE,), {}))).cost for job in jobs]
    assert made[0] == made[1]
    assert len({found.flops for found in made if isinstance(found, ModelCost)}) > 1
    shown = write(answer([replace(counted("net", 7), cost=made[0])], View(COUNT)), "md")
    assert FLAGS["count_varies"].meaning in " ".join(shown.split())


@pytest.mark.parametrize("drawn_before", [0, 1, 2])
def test_a_normal_number_of_numpy_is_seen_also_where_its_pair_was_drawn_before(drawn_before: int) -> None:
    """The second of a pair is kept, and given out without a change of the generator's words."""
    np.random.seed(1)
    np.random.randn(drawn_before)
    before = np.random.get_state(legacy=False)
    assert count(Skips(lambda _: abs(np.random.randn())).train(), (IMAGE,)).varies
    after = np.random.get_state(legacy=False)
    assert (after["has_gauss"], after["gauss"]) == (before["has_gauss"], before["gauss"])
    assert (after["state"]["key"] == before["state"]["key"]).all()


class DrawsOnce(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x] * (1 + (np.random.randn() > 0)))


def test_one_normal_number_that_was_kept_is_seen() -> None:
    np.random.seed(1)
    np.random.randn()
    assert count(DrawsOnce(), (IMAGE,)).varies


def test_a_row_of_a_count_is_the_row_that_validation_makes() -> None:
    found = count(Skips(SOURCES["Python"]).eval(), (IMAGE,)).by_op
    assert [OpCost(*(getattr(row, name) for name in OpCost.__slots__)) for row in found] == list(found)
    assert {type(row) for row in found} == {OpCost}
