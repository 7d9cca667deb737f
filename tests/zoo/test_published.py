"""Costs of the networks against the papers' figures and against sums by hand over the authors' configurations."""

from typing import NamedTuple

import pytest

from backbone_bench.zoo.families import resnext
from tests.zoo.built import cost, weights

M, G, BFLOPS = 1e6, 1e9, 0.5e9  # Darknet and CSPNet count two operations per multiply-add


class Printed(NamedTuple):
    """A figure that a paper prints, with its digits."""

    where: str
    figure: str  # of a `ModelCost`, or `weights`
    value: float
    unit: float
    within: float  # relative, with the reason where it is more than rounding
    name: str
    size: int = 224
    on_map: bool | None = None  # Darknet's classifier_on_map, if the paper differs from the default

    def found(self) -> float:
        arguments = {} if self.on_map is None else {"classifier_on_map": self.on_map}
        if self.figure == "weights":
            return weights(self.name, **arguments) / self.unit
        return getattr(cost(self.name, self.size, tuple(arguments.items())), self.figure) / self.unit


PAPERS = (
    *(
        Printed("VGG, Table 2", "params", value, M, 0.004, name)
        for name, value in (("vgg11", 133), ("vgg13", 133), ("vgg16_c", 134), ("vgg16", 138), ("vgg19", 144))
    ),
    Printed("ResNet, Section 4.1: convolutions", "conv_flops", 15.3, G, 0.005, "vgg16"),
    Printed("ResNet, Section 4.1: all layers", "flops", 19.6, G, 0.005, "vgg19"),
    *(
        Printed("ResNet, Table 1, truncated", "flops", value, G, 0.02, name)
        for name, value in (
            ("resnet18_a", 1.8), ("resnet34_a", 3.6),
            ("resnet50_v1", 3.8), ("resnet101_v1", 7.6), ("resnet152_v1", 11.3),
        )
    ),
    *(
        Printed("ResNet, Table 6", "params", value, M, 0.02, f"cifar_resnet{layers}", 32)
        for layers, value in ((20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7), (1202, 19.4))
    ),
    *(
        Printed("ResNet v2, Table 4, without batch norm", "weights", value, M, 0.02, f"cifar_resnetv2_{layers}", 32)
        for layers, value in ((110, 1.7), (164, 1.7), (1001, 10.2))
    ),
    *(
        Printed("MobileNet, Table 6", figure, value, M, within, name)
        for name, *values in (
            ("mobilenetv1", 569, 4.2), ("mobilenetv1_075", 325, 2.6),
            ("mobilenetv1_050", 149, 1.3), ("mobilenetv1_025", 41, 0.5),
        )
        for figure, value, within in (("flops", values[0], 0.004), ("params", values[1], 0.07))
    ),
    Printed("MobileNet, Table 4", "flops", 4866, M, 0.0005, "mobilenetv1_full"),
    Printed("MobileNet, Table 4", "params", 29.3, M, 0.002, "mobilenetv1_full"),
    Printed("SENet, Table 3", "params", 4.7, M, 0.01, "se_mobilenetv1"),
    Printed("AlexNet, Section 1", "params", 60, M, 0.02, "alexnet", 227),
    Printed("MobileNet, Table 9", "flops", 720, M, 0.007, "alexnet", 227),
    *(
        Printed("ShuffleNet's README", figure, value, M, within, f"shufflenetv1{name}_g3")
        for name, *values in (("_050", 38, 0.7), ("", 138, 1.9), ("_150", 292, 3.4), ("_200", 524, 5.4))
        for figure, value, within in (("flops", values[0], 0.011), ("params", values[1], 0.025))
    ),
    *(
        Printed("HarDNet, Table 4", figure, value, unit, within, name)
        for name, *values in (("hardnet68", 4.3, 17.6), ("hardnet85", 9.1, 36.7))
        for figure, value, unit, within in (("flops", values[0], G, 0.013), ("params", values[1], M, 0.002))
    ),
    Printed("HarDNet, Table 4", "cio_elems", 11.5, M, 0.003, "hardnet68"),
    Printed("HarDNet, Table 4", "params", 3.5, M, 0.004, "hardnet39ds"),
    Printed("HarDNet, Table 4", "params", 4.2, M, 0.005, "hardnet68ds"),
    Printed("GoogLeNet, in Inception v3, Table 3", "flops", 1.5, G, 0.005, "googlenet"),
    Printed("ResNeXt, Table 1", "params", 25.5, M, 0.01, "resnet50"),
    Printed("ResNeXt, Table 1", "flops", 4.1, G, 0.01, "resnet50"),
    Printed("ResNeXt, Table 1", "params", 25.0, M, 0.01, "resnext50_32x4d"),
    Printed("ResNeXt, Table 1", "flops", 4.2, G, 0.01, "resnext50_32x4d"),
    Printed("ResNeXt, Table 3, about", "flops", 7.8, G, 0.03, "resnet101"),
    Printed("ResNeXt, Table 3, about", "flops", 7.8, G, 0.03, "resnext101_32x4d"),
    *(
        Printed("ResNeXt, Table 4, about", "flops", 15, G, 0.035, name)
        for name in ("resnet200", "resnext101_2x64d", "resnext101_64x4d")
    ),
    Printed("ResNeXt, Table 7", "params", 34.4, M, 0.002, "cifar_resnext29_8x64d", 32),
    Printed("ResNeXt, Table 7", "params", 68.1, M, 0.002, "cifar_resnext29_16x64d", 32),
    *(
        Printed("YOLOv3, Table 2", "flops", value, BFLOPS, 0.002, name, 256, on_map=True)
        for name, value in (
            ("darknet19", 7.29), ("darknet_resnet101", 19.7), ("darknet_resnet152", 29.4), ("darknet53", 18.7),
        )
    ),
    *(
        Printed("DenseNet, Table 2", "params", value, M, 0.04, f"cifar_densenet{name}", 32)
        for name, value in (
            ("40_k12", 1.0), ("100_k12", 7.0), ("100_k24", 27.2),
            ("_bc_100_k12", 0.8), ("_bc_250_k24", 15.3), ("_bc_190_k40", 25.6),
        )
    ),
    *(
        Printed("CSPNet's repository", figure, value, unit, 0.0025, name, size)
        for name, size, flops, millions in (
            ("darknet53", 256, 18.57, 41.57),
            ("cspdarknet53", 256, 13.07, 27.61),
            ("darknet_resnet50", 256, 9.74, 22.73),
            ("cspresnet50", 256, 8.97, 21.57),
            ("darknet_resnext50", 256, 10.11, 22.19),
            ("cspresnext50", 256, 7.93, 20.50),
            ("darknet_resnet10", 256, 2.273, 5.24),
            ("darknet_mobilenetv2", 224, 0.858, 3.47),
            ("cspmobilenetv2", 224, 0.764, 2.51),
            ("peleenet", 224, 1.017, 2.79),
        )
        for figure, value, unit in (("flops", flops, BFLOPS), ("weights", millions, M))
    ),
    Printed("YOLOv4, Table 1", "flops", 26.0, G, 0.006, "cspdarknet53", 512),
    Printed("MobileNetV2, Table 4", "flops", 300, M, 0.005, "mobilenetv2"),
    Printed("Pelee, Table 1", "flops", 508, M, 0.001, "peleenet"),
    Printed("Pelee, Table 1", "params", 2.80, M, 0.002, "peleenet"),
    *(
        Printed("VoVNetV2's repository, truncated", "params", value, M, 0.06, f"vovnetv2_19{name}")
        for name, value in (("", 11.2), ("_dw", 6.5), ("_slim", 3.1), ("_slim_dw", 1.8))
    ),
    Printed("VoVNet, Section 3.2", "access_elems", 3.7, M, 0.005, "cifar_densenet40_k12", 32),
    Printed("VoVNet, Section 3.2", "access_elems", 2.5, M, 0.01, "cifar_osa_5x43", 32),
)  # fmt: skip


@pytest.mark.parametrize("printed", PAPERS, ids=lambda p: f"{p.where}: {p.figure} of {p.name}")
def test_the_network_costs_what_the_paper_prints(printed):
    assert printed.found() == pytest.approx(printed.value, rel=printed.within)


# By hand over the layers of each cfg file of CSPNet's repository: FLOPs, weights, access, CIO.
CFG = {
    "darknet53": (9285115904, 41573216, 63431496, 24905704),
    "darknet_resnet10": (1136119808, 5240000, 8190632, 3442152),
    "darknet_resnext50": (5055135744, 22190784, 53634728, 32967656),
    "darknet_mobilenetv2": (429111936, 3470784, 19742632, 17937064),
    "cspresnet50": (4483686400, 21566656, 43048104, 22317032),
    "cspresnext50": (3964616704, 20499136, 50173608, 31198184),
    "cspdarknet53": (6533652480, 27605856, 60343112, 35784680),
    "cspmobilenetv2": (381778464, 2513400, 16865376, 16017192),
}


@pytest.mark.parametrize("name", CFG)
def test_the_network_costs_what_the_cfg_file_sums_to(name):
    found = cost(name, 224 if "mobilenet" in name else 256)
    assert (found.flops, weights(name), found.access_elems, found.cio_elems) == CFG[name]


def test_resnet50_cfg_as_shipped_classifies_on_the_map():
    found = cost("darknet_resnet50", 256, (("classifier_on_map", True),))
    assert (found.flops, found.access_elems, found.cio_elems) == (4999610368, 46472896, 24574464)


@pytest.mark.parametrize(
    ("name", "access", "conv_access"),
    [("cifar_densenet40_k12", 3684442, 3679504), ("cifar_osa_5x43", 2481686, 2476044)],
)
def test_access_is_that_of_a_layer_list_by_hand(name, access, conv_access):
    found = cost(name, 32)
    assert (found.access_elems, found.conv_access_elems) == (access, conv_access)


@pytest.mark.parametrize(("name", "printed"), [("cspresnext50", 32.6), ("darknet_resnext50", 34.4)])
def test_cio_is_what_cspnet_prints_once_pools_are_counted(name, printed):
    """CSPNet, Section 4.5; the convolutions alone have 31.2 and 33.0 M."""
    found = cost(name, 256)
    pools = sum(row.traffic_elems for row in found.by_op if "pool" in row.op)
    assert (found.cio_elems + pools) / M == pytest.approx(printed, abs=0.05)


@pytest.mark.parametrize(("name", "layers"), [("vovnet27_slim", 27), ("vovnet39", 39), ("vovnet57", 57)])
def test_a_vovnet_has_as_many_convolutions_as_its_name_says(name, layers):
    rows = cost(name, 224).by_op
    assert sum(row.calls for row in rows if row.op.endswith("convolution")) == layers


@pytest.mark.parametrize("layers", [50, 101, 152, 200])
def test_pre_activation_changes_no_flops(layers):
    assert cost(f"resnetv2_{layers}", 224).flops == cost(f"resnet{layers}", 224).flops


def test_vovnet57_costs_as_much_more_than_vovnet39_as_their_detectors():
    """VoVNet, Table 4: 70.32 - 56.28 M and 36.45 - 32.6 G, at 320x320 and with equal heads."""
    small, large = (cost(f"vovnet{layers}", 320) for layers in (39, 57))
    assert (large.params - small.params) / M == pytest.approx(14.04, abs=0.01)
    assert (large.flops - small.flops) / G == pytest.approx(3.85, abs=0.06)


def test_the_bottleneck_of_osa_saves_flops_and_costs_access():
    """VoVNet, Table 3 prints 5.6 and 4.6 G; the paper argues that the bottleneck is slower nevertheless."""
    plain, narrowed = (cost(f"vovnet27_slim_{name}", 300) for name in ("paper", "bottleneck"))
    assert narrowed.flops < plain.flops
    assert narrowed.params < plain.params
    assert narrowed.access_elems > plain.access_elems


def test_every_fusion_of_csp_is_cheaper_than_none():
    fusions = [cost("cspdensenet121", 224, (("fusion", name),)).flops for name in ("none", "csp", "first", "last")]
    assert fusions[0] == cost("densenet121", 224).flops
    assert max(fusions[1:]) < fusions[0]


def test_the_templates_of_resnext_cost_alike():
    """Table 2: about 70 thousand parameters and 0.22 G on a 56x56 map."""
    for cardinality, width in resnext.TEMPLATES:
        convolutions = [p for p in resnext.template(cardinality, width).parameters() if p.dim() == 4]
        params = sum(weight.numel() for weight in convolutions)
        assert params == cardinality * (256 * width + 9 * width**2 + width * 256)
        assert params == pytest.approx(70e3, rel=0.025)
        assert params * 56 * 56 == pytest.approx(0.22e9, rel=0.02)
