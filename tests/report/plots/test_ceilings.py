"""The two models of the roofline do what their names say, and the report finds them by these names."""

from dataclasses import replace
from importlib import import_module

from backbone_bench import cost
from backbone_bench.report.plots.roofline import COPY, PRODUCT, offer
from tests.report.samples import RESNET50, VOVNET39, gpu_record, record


def built(reference: str, size: int):
    module, _, name = reference.partition(":")
    model = getattr(import_module(module), name)(size=size)
    return cost.count(model, model.example_inputs())


def test_a_product_of_square_matrices_is_the_cube_of_their_side():
    assert built(PRODUCT, 96).flops == 96**3


def test_a_sweep_on_a_gpu_is_offered_its_ceilings_and_a_cpu_is_not():
    swept = [gpu_record(f"net{n}", n * 10**9, 0.001 * n) for n in range(1, 4)]
    line = offer(swept)
    assert f"bench run {PRODUCT} {COPY} --arg size=8192 --device cuda --precision fp32" in line
    assert "\n" not in line
    assert offer(swept[:2]) == ""
    assert offer([RESNET50, VOVNET39, record("net", 10**9, 0.1)]) == ""
    product, copy = (replace(swept[0], workload=replace(swept[0].workload, model=model)) for model in (PRODUCT, COPY))
    assert offer([*swept, product, copy]) == ""


def test_a_copy_reads_and_writes_every_element_once_and_computes_nothing():
    copied = built(COPY, 96)
    assert (copied.flops, copied.traffic_elems, copied.ops) == (0, 2 * 96**2, 1)
