"""Sample records for the tests of the gate: invented numbers on an invented machine."""

from collections.abc import Sequence
from dataclasses import replace

from backbone_bench.records import (
    Environment,
    Latencies,
    Latency,
    Memory,
    Missing,
    ModelCost,
    OpCost,
    Record,
    Tool,
    WarmUp,
    Workload,
)

NOT_ASKED = Missing("not_asked", "was not asked for")
NO_GRAPH = Missing("no_graph", "only CUDA captures graphs")

HERE = Environment(
    device="cpu",
    device_name="Example CPU 3000",
    torch="2.13.0",
    python="3.12.1",
    os="Linux 6.1",
    cpu="Example CPU 3000",
    cpu_capability="AVX512",
    cores=8,
    affinity=2,
    memory_bytes=16 << 30,
    conv_fp32="ieee",
    matmul_fp32="ieee",
    cudnn_benchmark=None,
    deterministic=False,
    host="1f3a",
)


def op(module: str, kind: str, flops: int, traffic: int) -> OpCost:
    return OpCost(module, kind, 1, flops, flops // 100, flops // 200, traffic, 4 * traffic)


COST = ModelCost(
    params=1000,
    params_bytes=4000,
    peak_activation_bytes=64_000,
    path="meta",
    by_op=(
        op("stem.conv", "convolution", 10_000_000, 500_000),
        op("stage.conv", "convolution", 40_000_000, 900_000),
        op("stage", "relu", 0, 300_000),
        op("head.fc", "linear", 1_000_000, 60_000),
    ),
    shapes_sha256="a" * 64,
)
# The stage's convolution is wider: it and the operation after it cost more.
WIDER = replace(
    COST,
    params=1200,
    by_op=(
        COST.by_op[0],
        op("stage.conv", "convolution", 80_000_000, 1_200_000),
        op("stage", "relu", 0, 600_000),
        COST.by_op[3],
    ),
    shapes_sha256="b" * 64,
)


def counted(model: str = "net", cost: ModelCost | Missing = COST) -> Record:
    """A record of counts alone."""
    return Record(
        id=f"{model}-counted",
        started_utc="2026-11-24T06:00:00Z",
        tool=Tool("0.1.0", "abc", ("bench", "count", model)),
        workload=Workload(model, {}, source="zoo", inputs=("1x3x224x224:float32",), batch=1),
        environment=HERE,
        cost=cost,
        latency=NOT_ASKED,
        memory=NOT_ASKED,
        energy=NOT_ASKED,
        watch=NOT_ASKED,
    )


def timed(wall_s: float, model: str = "net", **changes: object) -> Record:
    """A record of one process on a CPU, in which each call took `wall_s`."""
    latency = Latency((wall_s,) * 9, (wall_s,), WarmUp("steady", 2.0, 20), "converged", 0.0)
    record = replace(
        counted(model),
        id=f"{model}-{wall_s}",
        latency=Latencies(latency, NO_GRAPH, NO_GRAPH),
        memory=Memory(NO_GRAPH, NO_GRAPH, 5_000_000),
        energy=Missing("nvml_missing", "libnvidia-ml.so.1 not found"),
        workload=replace(counted(model).workload, threads=1),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def processes(seconds: float, noise: Sequence[float], model: str = "net") -> list[Record]:
    """One record per share of noise, each around `seconds`."""
    return [timed(seconds * (1 + share), model) for share in noise]
