"""Derived metrics, for which records have no field, compared with torch's modules."""

import pytest
import torch
from torch import nn

from backbone_bench.claims.data.subjects import network
from backbone_bench.claims.evidence.publications import shipped
from backbone_bench.zoo import sources


def built(name):
    return sources.load(sources.Request(name), on_meta=True).model


def params(model, *kinds):
    return sum(p.numel() for m in model.modules() if isinstance(m, kinds) for p in m.parameters(recurse=False))


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "densenet121", "darknet53", "resnext50_32x4d", "vovnet39"])
def test_parameters_of_a_kind_are_those_of_torchs_modules(evidence, name):
    model, whole = built(name), evidence.value(network(name), "params")
    assert evidence.value(network(name), "params_without_norm") == whole - params(model, nn.BatchNorm2d)
    assert evidence.value(network(name), "params_without_linear") == whole - params(model, nn.Linear)


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "vovnet57", "resnext50_32x4d", "resnet18"])
def test_batch_norm_counted_as_timm_counts_it_gives_timms_figure(evidence, name):
    timm = next(publication for publication in shipped() if publication.meta.title == "timm")
    rows = [row for row in timm.rows if row["model"] == timm.name(name) and row["input_size"] == "224"]
    printed = {f"{float(row['timm_gmacs']):.2f}" for row in rows if row["timm_gmacs"]}  # the oldest tables have none
    assert printed == {f"{evidence.value(network(f'{name}@224'), 'flops_with_norm') / 1e9:.2f}"}


@pytest.mark.parametrize("name", ["resnet34", "vgg19", "cifar_densenet40_k12"])
def test_filters_and_convolutions_are_those_of_torchs_modules(evidence, name):
    convolutions = [module for module in built(name).modules() if isinstance(module, nn.Conv2d)]
    assert evidence.value(network(name), "convolutions") == len(convolutions)
    assert evidence.value(network(name), "filters") == sum(module.out_channels for module in convolutions)


def test_inputs_at_their_own_size_differ_only_where_there_is_a_stride(evidence):
    plain, strided = network("cifar_densenet40_k12@32"), network("resnet50@224")
    assert evidence.value(plain, "access_own_size") == evidence.value(plain, "access")
    assert evidence.value(strided, "access_own_size") / evidence.value(strided, "access") == pytest.approx(
        1.039, abs=2e-3
    )


# An independent derivation's sums over hand-written layer lists (VoVNet's Eq. 1, ungrouped convolutions).
OVER_BOUND = {
    "cifar_densenet40_k12": 1.385, "densenet121@224": 1.133, "densenet161@224": 1.133, "densenet201@224": 1.181,
    "resnet50@224": 1.081, "resnet101@224": 1.073, "vgg19@224": 1.051, "darknet53@256": 1.035,
    "vovnet57_paper@224": 1.028,
}  # fmt: skip


@pytest.mark.parametrize("name", OVER_BOUND)
def test_access_over_its_bound(evidence, name):
    assert evidence.value(network(name), "access_over_bound") == pytest.approx(OVER_BOUND[name], abs=1.5e-3)


def test_counting_leaves_no_hook_behind():
    from backbone_bench.cost.convolutions import convolutions

    seen = []
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1, groups=2))
    assert convolutions(model, [torch.zeros(1, 3, 8, 8)]) == ((9, 3, 4, 64, 1, 64), (1, 4, 4, 64, 2, 64))
    seen.append(model(torch.zeros(1, 3, 8, 8)).shape)
    assert seen == [(1, 4, 8, 8)]
