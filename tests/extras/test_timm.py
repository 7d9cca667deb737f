"""timm models are counted without a crash, and their published figures equal ours or the difference is explained."""

import csv
from pathlib import Path

import pytest
from torch import nn

import backbone_bench
from backbone_bench import cost
from backbone_bench.zoo import sources
from backbone_bench.zoo.sources import Request
from tests.extras.counted import counted

timm = pytest.importorskip("timm", reason="timm is not installed: make test-extras")

TITLES = ("timm", "input", "FLOPs", "published GMACs", "parameters", "note")
ROUNDING = 0.005  # of figures with two decimals
SHARE = 2, 5  # 2 of 5 models, spread over the whole list: all families in about ten minutes


def published() -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Published GMACs and millions of parameters, by model and input size."""
    file = Path(backbone_bench.__file__).parent / "claims" / "published" / "timm.csv"
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with file.open(encoding="utf-8") as lines:
        for line in csv.DictReader(text for text in lines if not text.startswith("#")):
            figures = float(line["timm_gmacs"] or "nan"), float(line["params_m"])
            known = found.setdefault((line["model"], int(line["input_size"])), [])
            if line["timm_gmacs"] and timm.is_model(line["model"]) and figures not in known:
                known.append(figures)
    return {key: sorted(figures) for key, figures in found.items() if figures}


PUBLISHED = published()
# timm's counter takes layer norms as operations too, and misses products of attention and blur filters.
COUNTED_OTHERWISE = ("convnext_", "swin_", "levit_", "mobilevit_", "efficientvit_m", "tresnet_")
COMPARED = [(name, size) for name, size in PUBLISHED if not name.startswith(COUNTED_OTHERWISE)]
NAMES = [name for n, name in enumerate(timm.list_models()) if n * SHARE[0] % SHARE[1] < SHARE[0]]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_counted(name, row):
    inputs, cost = counted(f"timm:{name}")
    unknown = ", ".join(sorted({operation.op for operation in cost.uncounted}))
    notes = (f"counted on the {cost.path}" if cost.path != "meta" else "", f"uncounted: {unknown}" if unknown else "")
    row(name, inputs, cost.flops, "", cost.params, "; ".join(filter(None, notes)))
    assert cost.flops > 0


def test_at_least_five_hundred_are_counted():
    assert len(NAMES) >= 500


def batch_norm_elems(name: str, size: int) -> int:
    """Number of output elements of all batch norms."""
    loaded = sources.load(Request(f"timm:{name}", size=size), on_meta=True)
    found: list[int] = []
    for module in loaded.model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda _module, _args, out: found.append(out.numel()))
    loaded.model(*loaded.inputs.args)
    return sum(found)


@pytest.mark.parametrize(("name", "size"), COMPARED)
def test_published_gmacs_are_our_flops_and_two_for_each_element_of_a_batch_norm(name, size, row):
    """timm counts with fvcore, which counts two operations per element of a batch norm."""
    inputs, ours = counted(f"timm:{name}", size=size)
    norms = 2 * batch_norm_elems(name, size)
    for gmacs, params_m in PUBLISHED[name, size]:
        off = abs(gmacs - ours.flops / 1e9) > ROUNDING
        other = OF_ANOTHER_NETWORK.get((name, gmacs), "")
        row(name, inputs, ours.flops, gmacs, ours.params, other or (f"{norms:+d} for batch norm" if off else ""))
        if not other:
            assert gmacs == pytest.approx((ours.flops + norms) / 1e9, abs=ROUNDING + 1e-9)
            assert params_m == pytest.approx(ours.params / 1e6, abs=ROUNDING + 1e-9)


OF_ANOTHER_NETWORK = {("repvgg_a2", 5.12): "published of the network with its branches folded into one convolution"}


def test_repvgg_with_its_branches_folded_is_the_other_network_that_is_published():
    inputs = sources.load(Request("timm:repvgg_a2"), on_meta=True).inputs
    folded = cost.count(timm.utils.reparameterize_model(timm.create_model("repvgg_a2").eval()), inputs.args)
    assert folded.flops / 1e9 == pytest.approx(5.12, abs=ROUNDING)
    assert folded.params / 1e6 == pytest.approx(25.5, abs=ROUNDING)


def test_the_image_is_the_one_that_the_arguments_speak_of():
    shapes, ours = counted("timm:vit_base_patch16_224", {"img_size": 384})
    usual, theirs = counted("timm:vit_base_patch16_384")
    assert (shapes, ours.flops, ours.params) == (usual, theirs.flops, theirs.params)
    assert counted("timm:resnet18", {"in_chans": 1})[0] == "1x1x224x224:float32"
