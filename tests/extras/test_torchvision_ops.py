"""What torchvision's own operations read and write; figures are worked out by hand."""

import pytest
import torch

from backbone_bench.cost.ledger import Ledger
from backbone_bench.cost.recorder import Recorder
from backbone_bench.records import OpCost

torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed: make test-extras")
ops = torchvision.ops

MAPS = torch.rand(2, 8, 64, 64)
REGIONS = torch.tensor([[0.0, 1.0, 1.0, 9.0, 9.0], [1.0, 2.0, 2.0, 20.0, 20.0], [1.0, 0.0, 0.0, 5.0, 5.0]])
POOLED = 3 * 8 * 2 * 2  # elements of three regions, 8 channels, 2x2 bins


def row(call) -> OpCost:
    ledger = Ledger([], list, 1)
    with torch.inference_mode(), Recorder(ledger):
        call()
    (found,) = [row for row in ledger.rows() if row.op.startswith(("torchvision::", "deformable"))]
    return found


@pytest.mark.parametrize(
    ("call", "read"),
    [
        (lambda: ops.roi_align(MAPS, REGIONS, 2, sampling_ratio=2), POOLED * 4 * 4),  # 2x2 samples of 4 neighbours
        (lambda: ops.roi_align(MAPS, REGIONS, 2), MAPS.numel()),  # a region's size decides how many
        (lambda: ops.roi_align(MAPS[:, :, :4, :4], REGIONS, 2, sampling_ratio=4), 2 * 8 * 16),  # all there is
        (lambda: ops.roi_pool(MAPS, REGIONS, 2), MAPS.numel()),
    ],
)
def test_a_region_reads_the_neighbours_of_its_samples(call, read: int) -> None:
    found = row(call)
    written = 2 * POOLED if found.op == "torchvision::roi_pool" else POOLED  # that one writes where its maxima are
    assert (found.flops, found.traffic_elems) == (0, read + REGIONS.numel() + written)


def test_regions_by_position_read_the_neighbours_of_their_samples() -> None:
    pooled = 3 * 2 * 2 * 2  # two of eight channels for each of 2x2 bins
    found = row(lambda: ops.ps_roi_align(MAPS, REGIONS, 2, sampling_ratio=2))
    assert (found.flops, found.traffic_elems) == (0, pooled * 4 * 4 + REGIONS.numel() + 2 * pooled)
    found = row(lambda: ops.ps_roi_pool(MAPS, REGIONS, 2))
    assert (found.flops, found.traffic_elems) == (0, MAPS.numel() + REGIONS.numel() + 2 * pooled)


def test_suppression_has_no_flops() -> None:
    assert row(lambda: ops.nms(REGIONS[:, 1:], torch.tensor([0.9, 0.8, 0.7]), 0.5)).flops == 0


def test_a_deformable_convolution_has_the_flops_of_a_convolution() -> None:
    offset, weight = torch.rand(2, 18, 62, 62), torch.rand(5, 8, 3, 3)
    assert row(lambda: ops.deform_conv2d(MAPS, offset, weight)).flops == 2 * 62 * 62 * 5 * 8 * 9
