"""The two models of the roofline do what their names say, and the report finds them by these names."""

from importlib import import_module

from backbone_bench import cost
from backbone_bench.report.plots.roofline import COPY, PRODUCT


def built(reference: str, size: int):
    module, _, name = reference.partition(":")
    model = getattr(import_module(module), name)(size=size)
    return cost.count(model, model.example_inputs())


def test_a_product_of_square_matrices_is_the_cube_of_their_side():
    assert built(PRODUCT, 96).flops == 96**3


def test_a_copy_reads_and_writes_every_element_once_and_computes_nothing():
    copied = built(COPY, 96)
    assert (copied.flops, copied.traffic_elems, copied.ops) == (0, 2 * 96**2, 1)
