"""results/static.md: a paper's number is beside the right network, at the right size and in the right convention."""

from tests.report.samples import RESNET50, cost, counted
from tools.zoo_page import printed, static

CELLS = slice(1, -1)  # without the empty parts outside the outer bars


def rows(page: str) -> dict[str, list[str]]:
    table = [[cell.strip() for cell in line.split("|")[CELLS]] for line in page.splitlines() if line.startswith("|")]
    return {row[0]: row for row in table}


def test_a_paper_that_counts_two_per_multiply_add_is_halved():
    darknet19 = next(f for f in printed() if (f.model, f.metric) == ("darknet19", "flops"))
    assert darknet19.value == 7.29e9 / 2  # YOLOv3, Table 2: 7.29 Bn Ops


def test_a_printed_figure_stands_beside_ours_with_its_source():
    vgg19 = counted("vgg19", 19_632_062_464, cost=cost(19_632_062_464, params=143_667_240))
    page = static([vgg19])
    row = rows(page)["vgg19"]
    assert "143.667" in row
    assert row[row.index("143.667") + 1] == "144 (VGG)"
    assert row[row.index("19.632") + 1] == "19.6 (ResNet)"
    assert "Very Deep Convolutional Networks" in page


def test_a_figure_of_another_size_does_not_stand_there():
    assert ("cspdarknet53", (512, 512)) in {(figure.model, figure.size) for figure in printed()}  # YOLOv4: 26 G
    row = rows(static([counted("cspdarknet53", 6_533_701_632)]))["cspdarknet53"]
    assert row[row.index("6.534") + 1] == "6.535 (CSPNet)"


def test_every_network_has_one_row_in_the_table_of_its_family():
    page = static([RESNET50, counted("vovnet39", 7_072_227_328), counted("resnet18", 1_814_073_344)])
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## resnet", "## vovnet"]
    assert {"resnet50", "resnet18", "vovnet39"} < rows(page).keys()
