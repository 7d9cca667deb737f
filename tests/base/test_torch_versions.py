"""Every supported torch gives the same counts, and each row about an older torch is true of the one that runs here."""

import pytest
import torch

from backbone_bench.base.torch_versions import TAG_ADDITIONS, counts_no_flops, is_tagged

HERE = tuple(map(int, torch.__version__.split(".")[:2]))
ADDED = [(added.since, name) for added in TAG_ADDITIONS for name in sorted(added.operations)]


@pytest.mark.parametrize(("since", "name"), ADDED)
def test_torch_tags_an_operation_from_the_version_of_its_row_on(since, name):
    packet = getattr(torch.ops.aten, name)
    assert is_tagged(packet) == (since <= HERE)
    assert counts_no_flops(name, packet)
