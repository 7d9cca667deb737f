"""Predictions: what they are made of, what is refused, and what is said of it."""

import math
from dataclasses import replace

import pytest
from torch import nn

import backbone_bench
from backbone_bench import Missing, UserError, known
from backbone_bench.cli.predict import shipped_names
from backbone_bench.predictor import choose, predict
from backbone_bench.predictor.calibration import dumps, loads
from backbone_bench.predictor.predict import not_told_apart
from backbone_bench.predictor.shipped import AskedSetting, shipped


def on_h200(model="resnet50", **keywords):
    return backbone_bench.predict(model, on="h200", **keywords)


@pytest.mark.parametrize("of", shipped(), ids=str)
def test_a_file_is_read_as_it_was_written(of):
    assert loads(dumps(of), "again.toml") == of


def test_a_misspelt_key_is_an_error_with_its_place():
    text = dumps(choose("h200").calibration).replace("step_s", "steps_s")
    with pytest.raises(UserError, match=r"own\.toml: constants\.steps_s"):
        loads(text, "own.toml")


def test_the_terms_add_up_to_the_time_and_the_operations_too():
    found = on_h200()
    assert sum(found.terms_s.values()) == pytest.approx(found.time.value)
    assert sum(op.time_s for op in found.ops) == pytest.approx(found.time.value)
    assert found.share == max(found.terms_s.values()) / found.time.value


def test_time_is_a_line_in_the_batch_and_the_band_between_batches_is_the_wider_one():
    one, two, three = (on_h200(batch=batch) for batch in (1, 16, 31))
    # weights are read once whatever the batch, so the line is exact
    assert two.time.value == pytest.approx((one.time.value + three.time.value) / 2)
    widths = [math.log(known(found.time.high) / found.time.value) for found in (one, two, on_h200(batch=32))]
    assert widths[1] == pytest.approx(max(widths))


def test_the_band_is_multiplicative():
    found = on_h200()
    assert found.time.value**2 == pytest.approx(known(found.time.low) * known(found.time.high))


def test_what_was_measured_stands_beside():
    found = on_h200()
    assert known(found.measured).time_s == pytest.approx(2.242e-3, rel=1e-3)
    assert known(found.error) == pytest.approx(found.time.value / known(found.measured).time_s - 1)
    assert isinstance(on_h200("resnet18").measured, Missing)


def test_another_network_of_the_same_name_was_not_measured():
    assert isinstance(on_h200(arguments={"num_classes": 10}).measured, Missing)


def test_energy_is_predicted_where_it_was_measured():
    assert isinstance(on_h200(batch=1).image, Missing)
    assert 0.15 < known(on_h200(batch=32).image).value < 0.25


class Attention(nn.Module):
    """Attention behind a convolution."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 1024, 16, 16)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(1024, 8, batch_first=True), 4)

    def forward(self, x):
        return self.layers(self.stem(x).flatten(2).transpose(1, 2))


@pytest.mark.parametrize(
    ("model", "keywords", "sentence"),
    [
        ("mobilenetv2", {}, "960 groups, and the rows have 32 at most"),
        ("resnet50", {"batch": 64}, "batch 64, and the rows have 1 to 32"),
        ("resnet50", {"inputs": "3x512x512"}, "images of 512 pixels, and the rows have 224 to 320"),
        ("resnet50", {"inputs": "3x224x256"}, "the rows have square images"),
        ("cifar_resnet20", {}, "images of 32 pixels"),
        ("resnet50", {"precision": "tf32"}, "precision tf32"),
        ("resnet50", {"channels_last": True}, "memory format channels_last"),
        ("resnet50", {"compile": "default"}, "compile mode default"),
        (Attention(), {"inputs": "3x224x224"}, "which no row has"),
    ],
)
def test_what_lies_outside_is_refused_in_a_sentence(model, keywords, sentence):
    with pytest.raises(UserError, match=sentence) as refused:
        on_h200(model, **keywords)
    assert "\n" not in str(refused.value)
    assert "--extrapolate" in str(refused.value)
    found = on_h200(model, **keywords, extrapolate=True)
    assert any(sentence.split(",")[0] in said for said in found.extrapolated)
    assert isinstance(found.time.low, Missing)


def test_training_is_refused():
    record = backbone_bench.count("resnet50", train=True)
    with pytest.raises(UserError, match="a training step"):
        predict(record, choose("h200"))


def test_two_networks_closer_than_the_band_of_a_ratio_are_not_told_apart():
    resnet50, vgg19, resnet152 = (on_h200(model) for model in ("resnet50", "vgg19", "resnet152"))
    assert not_told_apart(resnet50, vgg19)
    assert not not_told_apart(resnet50, resnet152)
    assert not_told_apart(replace(resnet50, extrapolated=("batch 64",)), resnet152)


def test_a_published_table_tells_the_throughput_alone():
    found = backbone_bench.predict("resnet50", on="rtx3090", batch=1024)
    assert isinstance(found.wall, Missing)
    assert isinstance(found.image, Missing)
    assert 2600 < found.batch / found.time.value < 3800
    with pytest.raises(UserError, match="batch 1,"):
        backbone_bench.predict("resnet50", on="rtx3090", batch=1)


def test_a_setting_chooses_among_the_calibrations_of_a_card():
    plain, last = choose("rtx3090"), choose("rtx3090", AskedSetting(memory_format="channels_last"))
    assert (plain.calibration.conditions.memory_format, last.calibration.conditions.memory_format) == (
        "contiguous",
        "channels_last",
    )
    assert plain.outside == last.outside == ()
    assert choose("rtx3090", AskedSetting("fp32")).outside


def test_the_help_names_every_device_with_a_shipped_calibration():
    assert shipped_names() == sorted({one.name for one in shipped()})
    assert shipped_names("rtx4") == ["rtx4090"]


def test_every_shipped_calibration_says_where_it_is_from():
    for one in shipped():
        assert one.origin.source
        assert (one.origin.kind == "published") == (one.origin.licence is not None)
        assert one.band("time", one.batches[0]) is not None
