"""What only CUDA (and ROCm, which torch calls by the same name) has: graphs, and a cache whose size is told."""

from dataclasses import dataclass

import torch
from torch import Tensor

from backbone_bench.base.errors import first_line
from backbone_bench.base.pytree import map_tensors
from backbone_bench.measure.devices.accelerator import Accelerator
from backbone_bench.measure.protocols import CaptureFailed, LatencyMode, Step
from backbone_bench.records import Missing


class Cuda(Accelerator):
    """A CUDA device."""

    modes: tuple[LatencyMode, ...] = ("wall", "device", "graph")

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        told = torch.cuda.get_device_properties(device).L2_cache_size
        if told:
            self.cache_bytes = told

    def capture(self, step: Step) -> Step:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(self._device)
        before = torch.cuda.current_stream(self._device)
        try:
            self._warm(step, stream)
            with torch.cuda.graph(graph, stream=stream):
                # Without its autograd graph, whose nodes would draw later backward passes onto this stream.
                output = map_tensors(step(), Tensor.detach)
        except RuntimeError as error:  # out of memory is one too
            raise CaptureFailed(Missing("capture_failed", f"not capturable: {first_line(_cause(error))}")) from None
        finally:
            torch.cuda.set_stream(before)  # a capture that fails leaves its own stream behind

        return _Replay(graph, output, step)

    def _warm(self, step: Step, stream: torch.cuda.Stream) -> None:
        """Run once on the capturing stream, so that nothing happens for the first time in the graph."""
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            step()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        self.synchronize()


@dataclass(frozen=True, slots=True)
class _Replay:
    """Runs a graph, and holds on to the step: the graph reads its weights and inputs where they lie."""

    graph: torch.cuda.CUDAGraph
    output: object
    step: Step

    def __call__(self) -> object:
        self.graph.replay()
        return self.output


def _cause(error: BaseException) -> BaseException:
    """What broke a capture: ending one that is broken raises once more, and only says that something had."""
    while isinstance(error.__context__, RuntimeError):
        error = error.__context__
    return error
