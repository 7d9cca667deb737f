"""Every supported torch gives the same counts, and each row about an older torch is true of the one that runs here."""

import pytest
import torch

from backbone_bench.base.torch_versions import FAULTS, NEWEST_TRIED, TAG_ADDITIONS, counts_no_flops, faults, is_tagged

HERE = tuple(map(int, torch.__version__.split(".")[:2]))
ADDED = [(added.since, name) for added in TAG_ADDITIONS for name in sorted(added.operations)]


@pytest.mark.parametrize(("since", "name"), ADDED)
def test_torch_tags_an_operation_from_the_version_of_its_row_on(since, name):
    packet = getattr(torch.ops.aten, name)
    assert is_tagged(packet) == (since <= HERE)
    assert counts_no_flops(name, packet)


@pytest.mark.parametrize(
    ("version", "cudnn", "known"),
    [
        ("2.9.0+cu128", 91002, FAULTS),
        ("2.10.0+cu130", 91501, ()),  # a repaired cuDNN
        ("2.9.1", 90701, ()),  # from before the fault
        ("2.13.0+cpu", None, ()),
        ("2.8.0", 91002, ()),
        ("2.15.0a0+git3f2", 91499, FAULTS),
    ],
)
def test_a_fault_needs_both_versions(version, cudnn, known):
    assert faults(version, cudnn) == known


def test_the_torch_that_runs_here_is_among_those_that_were_tried():
    assert HERE <= NEWEST_TRIED, "after a green run of all tests raise NEWEST_TRIED and the table of the README"
