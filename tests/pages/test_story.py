"""The first screen says what the records say, in numbers worked out by hand or by scipy."""

from dataclasses import replace

import pytest
from scipy.stats import spearmanr

from backbone_bench.pages import story
from backbone_bench.records import Missing, Record, store
from backbone_bench.report.plots.alike import largest
from backbone_bench.report.plots.points import number
from backbone_bench.report.views.columns import COLUMNS
from tests.report.plots.test_plots import MANY, TRAINED
from tests.report.samples import RESNET50, VOVNET39
from tests.report.views.test_depth import RECORDS

H200 = store.read(sorted(RECORDS.glob("*.jsonl")), pytest.fail)


def told(records: list[Record] | tuple[Record, ...]) -> tuple[str, ...]:
    return story.sentences(largest(records))


def test_what_ran_where_is_one_line():
    assert story.headline(H200).startswith(
        "54 records of 26 models on NVIDIA H200 (2 environments), fp32, batch 1 and 32,"
    )
    assert story.headline([RESNET50]).startswith("1 record of 1 model on Example CPU 3000, fp32, batch 1,")


def test_the_first_gpu_says_that_depth_decides_batch_1_and_flops_batch_32():
    """18 networks at 224 pixels and batch 1, 14 at batch 32; the correlations are scipy's."""
    sentence = told(H200)[0]
    for batch, key, name in ((1, "reduction_depth", "reduction depth"), (1, "flops", "FLOPs"), (32, "flops", "FLOPs")):
        rho = correlation(batch, key, "device_work_s")
        assert f"{name} ({rho:.2f})" in sentence.partition("at batch 32")[0 if batch == 1 else 2]
    assert f"operations ({correlation(1, 'ops', 'wall_s'):.2f})" in sentence.partition("what a caller waits")[2]


def correlation(batch: int, count: str, measured: str) -> float:
    chosen = {
        record.workload.model: record
        for record in reversed(H200)
        if record.workload.inputs == (f"{batch}x3x224x224:float32",)
    }
    x, y = ([number(COLUMNS[key], record) or 0.0 for record in chosen.values()] for key in (count, measured))
    return float(spearmanr(x, y).statistic)


def test_who_waits_for_python_is_counted():
    shares = [
        COLUMNS["launch_bound"].value(record) for record in H200 if record.workload.inputs == ("1x3x224x224:float32",)
    ][:18]
    bound = sum(isinstance(share, float) and share > 0.1 for share in shares)
    assert f"At batch 1, {bound} of 18 networks are launch-bound (densenet161 most" in told(H200)[1]


def test_the_fastest_is_named_at_all_and_near_the_most_accurate():
    """On the CPU of the samples: vgg19 takes 40 ms at 72.4 %, resnet50 50 ms at 76.16 %, the best of the recipe."""
    (sentence,) = told(TRAINED)
    assert sentence.startswith("vgg19 (40 ms an image, 72.4 %) is fastest; ")
    assert sentence.endswith("of 75.2 % or more (recipe tv_in1k) resnet50 (50 ms an image, 76.2 %) is fastest.")


def test_seven_networks_predict_nothing():
    assert not any("follows" in sentence for sentence in told(MANY[:7]))
    assert any("follows" in sentence for sentence in told(MANY[:8]))


def test_a_page_without_a_measurement_says_nothing_of_time():
    no = Missing("not_asked", "only counted")
    assert told([replace(made, latency=no, energy=no) for made in (RESNET50, VOVNET39)]) == ()
    assert told([]) == ()
