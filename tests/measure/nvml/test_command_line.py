"""`bench run` on a simulated GPU whose clocks, power and names come from the NVML stub.

Only the parts that need hardware are simulated: torch's properties of the card, and the step. Options, settings,
profiler, meters, watcher and record are the product's own.
"""

import json
from contextlib import contextmanager

import pytest

from backbone_bench.measure.devices import available
from backbone_bench.measure.nvml import find
from backbone_bench.profiler import pipeline
from tests.cli.conftest import bench
from tests.measure.nvml.world import Device

__all__ = ["bench"]

NET = """from torch import nn


def net():
    return nn.Conv2d(3, 4, 3)


def breaks():
    return net()
"""


class Capturing(Device):
    """A device that captures graphs; launching an eager call takes the host 3 ms, a replay 20 µs."""

    def step(self):
        self.launch_s = 0.003
        super().step()

    def capture(self, step):
        def replay():
            self.launch_s = 20e-6
            Device.step(self)

        return replay


@pytest.fixture(params=[Device])
def accelerator(world, torch_card, tmp_path, monkeypatch, request):
    """The card as `cuda:0`, in a folder with a model. Returns the locked clocks (MHz) during the steps."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)

    monkeypatch.setattr(find, "HostClock", lambda: world)
    device, locked_mhz = request.param(world), set()
    monkeypatch.setattr(available, "resolve", lambda name: device)

    @contextmanager
    def prepared(model, args, kwargs, workload, device_name):
        def step():
            locked_mhz.add(world.gpu.locked_mhz)
            if workload.model.endswith("breaks"):
                raise MemoryError
            return device.step()

        yield step

    monkeypatch.setattr(pipeline, "prepared", prepared)
    return locked_mhz


WORDS = ("--input", "3x16x16", "-d", "cuda", "--in-process", "--quick", "-f", "json")


def test_clocks_are_held_while_rows_run_and_free_afterwards_and_the_record_says_at_what(bench, world, accelerator):
    result = bench("run", "net.py:net", *WORDS, "--no-energy", "--lock-clocks", "1200")
    assert result.code == 0, result.err
    (record,) = json.loads(result.out)["records"]
    assert accelerator == {1200}
    assert world.gpu.locked_mhz == 0
    assert record["environment"]["gpu"]["locked_clock_hz"] == 1.2e9
    assert "clocks_unlocked" not in record["watch"]["flags"]


def test_clocks_are_held_only_on_request(bench, world, accelerator):
    result = bench("run", "net.py:net", *WORDS, "--no-energy")
    (record,) = json.loads(result.out)["records"]
    assert accelerator == {0}
    assert record["environment"]["gpu"]["locked_clock_hz"]["missing"] == "not_locked"
    assert "clocks_unlocked" not in record["watch"]["flags"]  # nobody saw them change


def test_clocks_are_free_after_a_row_that_fails(bench, world, accelerator):
    result = bench("run", "net.py:breaks", *WORDS, "--no-energy", "--lock-clocks", "base")
    assert result.code == 3
    assert accelerator == {0xFFFFFF01}  # NVML's code for the base clock
    assert world.gpu.locked_mhz == 0


def test_clocks_that_may_not_be_held_end_the_run_before_anything_is_measured(bench, world, accelerator):
    world.fail("nvmlDeviceSetGpuLockedClocks", 4)
    result = bench("run", "net.py:net", *WORDS, "--lock-clocks", "1200")
    assert (result.code, result.out) == (2, "")
    assert result.err == "bench: --lock-clocks needs root: sudo nvidia-smi -lgc 1200\n"
    assert accelerator == set()


def test_the_papers_protocol_is_a_figure_beside_the_steady_one_and_takes_no_idle_off(bench, world, accelerator):
    result = bench("run", "net.py:net", *WORDS, "--protocol", "paper", "--energy-window", "3")
    assert result.code == 0, result.err
    (record,) = json.loads(result.out)["records"]
    energy, paper = record["energy"], record["energy"]["paper"]
    mean_w = 0.7 * 300 + 0.3 * 200  # of the simulated device, which works without a gap
    assert paper["source"] == "power_usage"
    assert len(paper["readings_w"]) == pytest.approx(30, abs=1)  # one every 100 ms of the window
    assert paper["per_image_j"] == pytest.approx(mean_w * 0.005, rel=0.01)
    assert energy["gross_per_image_j"] == pytest.approx(mean_w * 0.005, rel=0.01)
    assert energy["net_per_image_j"] == pytest.approx((mean_w - 60) * 0.005, rel=0.01)
    assert [trial["window_s"] for trial in energy["trials"]] == pytest.approx([3, 3, 3], abs=0.25)


def test_without_it_the_papers_figure_is_not_taken(bench, accelerator):
    result = bench("run", "net.py:net", *WORDS, "--no-latency")
    (record,) = json.loads(result.out)["records"]
    assert record["energy"]["source"] == "counter"
    assert record["energy"]["paper"] is None


MEAN_W, IDLE_W, RUN_S, LAUNCH_S = 0.7 * 300 + 0.3 * 200, 60, 0.005, 0.003  # of the simulated device
REPLAYED_J, WAITED_J = MEAN_W * RUN_S, MEAN_W * RUN_S + IDLE_W * LAUNCH_S  # per image


@pytest.mark.parametrize("accelerator", [Capturing], indirect=True)
@pytest.mark.parametrize("latency", ["--latency", "--no-latency"])
@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ("graph", ("graph", REPLAYED_J, None)),
        ("wall", ("wall", WAITED_J, None)),
        ("both", ("graph", REPLAYED_J, WAITED_J)),
    ],
)
def test_energy_is_of_the_runs_that_are_asked_for(bench, accelerator, runs, expected, latency):
    mode, joules, waited = expected
    result = bench("run", "net.py:net", *WORDS, latency, "--energy-of", runs)
    assert result.code == 0, result.err
    (record,) = json.loads(result.out)["records"]
    assert record["energy"]["mode"] == mode
    assert record["energy"]["gross_per_image_j"] == pytest.approx(joules, rel=0.01)
    if waited is None:
        assert record["wall_energy"] is None
    else:
        assert record["wall_energy"]["mode"] == "wall"
        assert record["wall_energy"]["gross_per_image_j"] == pytest.approx(waited, rel=0.01)


def test_without_a_graph_energy_is_of_a_waiting_caller_and_says_so(bench, accelerator):
    result = bench("run", "net.py:net", *WORDS, "--energy-of", "both")
    (record,) = json.loads(result.out)["records"]
    assert record["energy"]["mode"] == "wall"
    assert record["wall_energy"]["missing"] == "capture_failed"
    table = bench("run", "net.py:net", *WORDS[:-2], "-f", "md").out
    assert "Energy is that of a caller who waits for each call" in table
