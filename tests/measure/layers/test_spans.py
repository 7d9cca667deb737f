"""Which module an operation belongs to, told from spans that are written down by hand."""

import pytest

from backbone_bench.measure.layers.spans import MODULE, HostSpan, Work, attributed, per_call


def module(name, *children):
    return HostSpan(MODULE + name, 1.0, (), children)


def op(name, duration_s, *children, kernels=(), sequence=-1):
    return HostSpan(f"aten::{name}", duration_s, kernels, children, sequence)


def test_the_outermost_operation_counts_with_all_within_it():
    inner = op("convolution", 0.009, op("mkldnn_convolution", 0.008))
    found = attributed([module("", module("stem", op("conv2d", 0.01, inner)))], by_kernels=False)
    assert dict(found.work) == {("stem", "convolution"): Work(0.01, 1)}


def test_an_operation_belongs_to_the_innermost_module_that_runs():
    roots = [module("", op("relu_", 0.001), module("block", op("add", 0.002), module("block.norm", op("mul", 0.003))))]
    found = attributed(roots, by_kernels=False)
    assert {key: work.time_s for key, work in found.work.items()} == {
        ("", "relu"): 0.001,
        ("block", "add"): 0.002,
        ("block.norm", "mul"): 0.003,
    }


def test_on_a_gpu_the_time_is_that_of_the_kernels_and_not_of_the_host():
    launching = op("conv2d", 0.05, op("cudnn_convolution", 0.04, kernels=(2e-3, 3e-6)), kernels=(1e-6,))
    found = attributed([module("stem", launching)], by_kernels=True)
    work = found.work["stem", "convolution"]
    assert [work.time_s, work.short_s, found.launched_s] == pytest.approx([2e-3 + 4e-6, 4e-6, 2e-3 + 4e-6])
    assert (work.launches, work.short_launches) == (3, 2)


def test_the_backward_pass_of_an_operation_belongs_to_its_module():
    forward = module("", module("stem", op("conv2d", 0.01, op("convolution", 0.01, sequence=7), sequence=7)))
    backward = HostSpan(
        "autograd::engine::evaluate_function: ConvolutionBackward0",
        0.03,
        (),
        (HostSpan("ConvolutionBackward0", 0.03, (), (op("convolution_backward", 0.02),)),),
        sequence=7,
    )
    found = attributed([forward, backward], by_kernels=False)
    assert found.work["stem", "convolution_backward"].time_s == 0.02


def test_what_no_module_asked_for_belongs_to_the_model_itself():
    unknown = HostSpan("autograd::engine::evaluate_function: Some", 1.0, (), (op("mul", 0.5),), sequence=99)
    found = attributed([unknown, HostSpan("Optimizer.step#SGD.step", 1.0, (), (op("add_", 0.25),))], by_kernels=False)
    assert {key: work.time_s for key, work in found.work.items()} == {("", "mul"): 0.5, ("", "add"): 0.25}


def test_a_compiled_region_is_one_operation_with_all_that_it_holds():
    region = HostSpan("Torch-Compiled Region: 0/0", 0.5, (), (op("mm", 0.2), HostSpan("triton_fused", 0.1, (0.1,))))
    assert attributed([region], by_kernels=False).work["", "compiled region"].time_s == 0.5
    assert attributed([region], by_kernels=True).work["", "compiled region"].time_s == 0.1


def test_times_are_means_over_the_calls_and_a_convolution_has_its_kernel():
    call = module("", module("stem", op("conv2d", 0.01)), op("relu", 3e-6))
    rows = per_call(attributed([call, call, call, call], by_kernels=False), 4, {"stem": "3x3"})
    assert [(row.module, row.op, row.form, row.launches, row.short_launches) for row in rows] == [
        ("stem", "convolution", "3x3", 1, 0),
        ("", "relu", None, 1, 1),
    ]
    assert [row.time_s for row in rows] == pytest.approx([0.01, 3e-6])


def test_modules_may_be_nested_as_deeply_as_a_user_likes():
    span = op("relu", 1.0)
    for depth in range(5000):
        span = module(str(depth), span)
    assert attributed([span], by_kernels=False).work["0", "relu"].time_s == 1.0
