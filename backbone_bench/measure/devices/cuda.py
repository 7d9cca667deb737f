"""CUDA devices: graphs, and a known cache size. ROCm too, which torch also calls `cuda`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from backbone_bench.base.choices import LatencyMode
from backbone_bench.base.errors import first_line
from backbone_bench.base.pytree import map_tensors
from backbone_bench.measure.devices.accelerator import Accelerator
from backbone_bench.measure.protocols import CaptureFailed, HoldFailed, Step
from backbone_bench.records import Missing

_TRIAL_CYCLES = 2_000_000  # of the spinning kernel, to learn its rate: a millisecond at 2 GHz


class Cuda(Accelerator):
    """A CUDA device."""

    modes: tuple[LatencyMode, ...] = ("wall", "device", "graph")
    launch_queue = 1000  # about so many were seen on an NVIDIA H200; NVIDIA documents no number

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        l2_bytes = torch.cuda.get_device_properties(device).L2_cache_size
        if l2_bytes:
            self.cache_bytes = l2_bytes
        self._spin_hz: float | None = None  # cycles that the spinning kernel counts in a second

    def hold(self, seconds: float) -> None:
        """Launch a kernel that spins for so many cycles of the clock; it ends by itself.

        The idea is the blocking kernel of NVIDIA's nvbench. torch keeps this kernel for its own tests.
        """
        if not hasattr(torch.cuda, "_sleep"):
            raise HoldFailed(Missing("no_hold", "this torch has no spinning kernel"))
        self._spin_hz = self._spin_hz or self._measured_spin_hz()
        torch.cuda._sleep(round(seconds * self._spin_hz))

    def _measured_spin_hz(self) -> float:
        """Rate of the second of two kernels: the first also loads it, and raises the clock of a device at rest."""
        start, end = self.event(), self.event()
        torch.cuda._sleep(_TRIAL_CYCLES)
        start.record()
        torch.cuda._sleep(_TRIAL_CYCLES)
        end.record()
        end.wait()
        return _TRIAL_CYCLES / end.elapsed_s_since(start)

    def capture(self, step: Step) -> Step:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(self._device)
        before = torch.cuda.current_stream(self._device)
        try:
            self._warm(step, stream)
            with torch.cuda.graph(graph, stream=stream):
                # Detached: the nodes of its autograd graph would run later backward passes on this stream.
                output = map_tensors(step(), Tensor.detach)
        except RuntimeError as error:  # out of memory is a RuntimeError too
            raise CaptureFailed(Missing("capture_failed", f"not capturable: {first_line(_cause(error))}")) from None
        finally:
            torch.cuda.set_stream(before)  # a failed capture leaves its own stream as the current one

        return _Replay(graph, output, step)

    def _warm(self, step: Step, stream: torch.cuda.Stream) -> None:
        """Run the step once on the capture stream, so that first-call work is not captured."""
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            step()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        self.synchronize()


@dataclass(frozen=True, slots=True)
class _Replay:
    """Replays a graph. It keeps the step alive, because the graph reads the step's weights and inputs in place."""

    graph: torch.cuda.CUDAGraph
    output: object
    step: Step

    def __call__(self) -> object:
        self.graph.replay()
        return self.output


def _cause(error: BaseException) -> BaseException:
    """First error of a failed capture. Ending a broken capture raises a second error, without the cause."""
    while isinstance(error.__context__, RuntimeError):
        error = error.__context__
    return error
