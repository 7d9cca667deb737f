import torch

from backbone_bench.cost import count
from backbone_bench.zoo import ceilings


def test_a_copy_moves_every_element_twice_and_computes_nothing():
    model = ceilings.copy(64)
    cost = count(model, model.example_inputs())
    assert (cost.flops, cost.traffic_elems, cost.ops) == (0, 2 * 64**2, 1)


def test_a_copy_is_right_and_takes_no_fresh_memory():
    model, x = ceilings.copy(64), torch.randn(1, 64, 64)
    first, second = model(x), model(x + 1)
    assert torch.equal(second, x + 1)
    assert first.data_ptr() == second.data_ptr()


def test_a_product_multiplies_and_adds_the_cube_of_its_size():
    model = ceilings.product(64)
    assert count(model, model.example_inputs()).flops == 64**3
