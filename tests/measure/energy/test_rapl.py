"""RAPL counter of the CPU: each package once, wraps corrected, and the reason if it cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.measure.clock import HostClock
from backbone_bench.measure.energy.rapl import Rapl, Zone, host_meter, packages
from backbone_bench.measure.protocols import SourceFailed
from backbone_bench.records import Missing

RANGE_UJ = 262_143_328_850


def zone(root, name, label, energy_uj=1_000_000):
    folder = root / "sys/class/powercap" / name
    folder.mkdir(parents=True)
    for file, value in (("name", label), ("energy_uj", energy_uj), ("max_energy_range_uj", RANGE_UJ)):
        (folder / file).write_text(f"{value}\n")
    return folder


def test_packages_are_counted_and_their_parts_and_doubles_are_not(tmp_path):
    for name, label in (
        ("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "package-1"), ("intel-rapl:2", "psys"), ("intel-rapl-mmio:0", "package-0"),
    ):  # fmt: skip
        zone(tmp_path, name, label)
    found = packages(tmp_path)
    assert not isinstance(found, Missing)
    assert [part.path.name for part in found] == ["intel-rapl:0", "intel-rapl:1"]


def test_joules_of_all_packages_add_up(tmp_path):
    folders = [zone(tmp_path, f"intel-rapl:{n}", f"package-{n}") for n in (0, 1)]
    found = packages(tmp_path)
    assert not isinstance(found, Missing)
    source = Rapl(found)
    before_j = source.read()
    for folder in folders:
        (folder / "energy_uj").write_text("3500000")
    assert source.read() - before_j == pytest.approx(5.0)


@given(st.lists(st.integers(0, RANGE_UJ - 1), min_size=1, max_size=30))
def test_a_counter_that_wraps_goes_on(tmp_path_factory, steps_uj):
    folder = zone(tmp_path_factory.mktemp("rapl"), "intel-rapl:0", "package-0", energy_uj=0)
    counter = Zone(folder, RANGE_UJ / 1e6)
    counter.read_j()
    for total in (sum(steps_uj[: n + 1]) for n in range(len(steps_uj))):
        (folder / "energy_uj").write_text(str(total % RANGE_UJ))
        assert counter.read_j() == pytest.approx(total / 1e6, abs=1e-3)


def test_a_machine_without_a_counter_says_so(tmp_path):
    found = host_meter(HostClock(), tmp_path)
    assert isinstance(found, Missing)
    assert found.missing == "rapl_missing"


def test_a_counter_that_may_not_be_read_says_how_to_allow_it(tmp_path, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0")
    monkeypatch.setattr("pathlib.Path.read_text", forbid("energy_uj"))
    refused(packages(tmp_path))


@pytest.mark.parametrize("name", ["energy_uj", "max_energy_range_uj"])
def test_a_counter_that_tells_no_number_says_so(tmp_path, name):
    folder = zone(tmp_path, "intel-rapl:0", "package-0")
    found = packages(tmp_path)
    assert not isinstance(found, Missing)
    (folder / name).write_text("\n")
    made = packages(tmp_path)
    assert isinstance(made, Missing)
    assert made.missing == "rapl_unreadable"
    (folder / "energy_uj").write_text("\n")
    with pytest.raises(SourceFailed, match="no number"):
        Rapl(found).read()


def refused(found):
    assert isinstance(found, Missing)
    assert found.missing == "rapl_no_permission"
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj" in found.message


def forbid(name):
    """`Path.read_text` that raises PermissionError for files of one name."""
    from pathlib import Path

    read = Path.read_text

    def read_text(path, *arguments, **options):
        if path.name == name:
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments, **options)

    return read_text
