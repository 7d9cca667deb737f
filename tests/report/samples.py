"""Sample records for the tests of reports: invented numbers on an invented machine."""

import math
from dataclasses import replace

from backbone_bench.records import (
    CardActivity,
    Energy,
    EnergyTrial,
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
    Watch,
    Workload,
)

NO_EVENTS = Missing("no_events", "the CPU has no events to time a call with")
NO_GRAPH = Missing("no_graph", "only CUDA captures graphs")
NO_NVML = Missing("nvml_missing", "libnvidia-ml.so.1 not found")
NO_ALLOCATOR = Missing("no_accelerator", "the CPU's allocator keeps no count")
NASTY = "| a |<script>alert(1)</script>\n**b** `c` [d](e) \x1b[31m"

CPU = Environment(
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
)
GPU = replace(CPU, device="cuda:0", device_name="Example GPU 9", cuda="12.8", cudnn="9.1", conv_fp32="tf32")


def op(module: str, kind: str, flops: int | None, access: int, traffic: int) -> OpCost:
    """One operation of a cost; `flops` is None if no formula is known."""
    row = OpCost(
        module=module,
        op=kind,
        calls=1,
        flops=Missing("no_formula", f"no formula for {kind}") if flops is None else flops,
        access_elems=access,
        cio_elems=access // 2,
        traffic_elems=traffic,
        traffic_bytes=4 * traffic,
    )
    return replace(row, groups=1, out_elems=(flops or 0) // 576, reduction_depth=576) if row.is_convolution else row


def cost(flops: int, *, params: int = 22_600_296, unknown: bool = False) -> ModelCost:
    """The cost of a stem, two stages and a classifier; with `unknown`, one more operation without a FLOPs formula."""
    last = min(1_024_000, flops // 4)
    rows = (
        op("stem.0.conv", "convolution", flops // 10, 4_000_000, 4_100_000),
        op("stem.0.norm", "batch_norm", 0, 0, 3_000_000),
        op("stages.stage1.0.conv", "convolution", flops // 2, 9_000_000, 9_100_000),
        op("stages.stage1.0", "cat", 0, 0, 6_000_000),
        op("stages.stage2.0.conv", "convolution", flops - flops // 2 - flops // 10 - last, 20_000_000, 20_200_000),
        op("classifier.fc", "linear", last, 1_030_000, 1_030_000),
        *((op("stages.stage2", "fft_rfft2", None, 0, 5_000_000),) if unknown else ()),
    )
    return ModelCost(params=params, params_bytes=4 * params, peak_activation_bytes=12_845_056, path="meta", by_op=rows)


def latency(median_s: float, n: int = 40, flags: tuple[str, ...] = ()) -> Latency:
    """A latency with deterministic samples that oscillate around a median."""
    return Latency(
        samples_s=tuple(median_s * (1 + 0.02 * math.sin(1.7 * i)) for i in range(n)),
        first_calls_s=(3 * median_s, 1.5 * median_s, 1.1 * median_s),
        warmup=WarmUp("steady", spent_s=2.0, calls=30),
        status="converged",
        host_load=0.01,
        flags=flags,
    )


def record(model: str, flops: int, wall_s: float, **changes: object) -> Record:
    """A record of a CPU run at batch 1."""
    made = Record(
        id=f"id-{model[:12]}",
        started_utc="2026-11-24T06:00:00Z",
        tool=Tool("0.1.0", None, ("bench", "run", "--model", model)),
        workload=Workload(model, {}, source="zoo", inputs=("1x3x224x224:float32",), batch=1, threads=2),
        environment=CPU,
        cost=cost(flops),
        latency=Latencies(latency(wall_s), NO_EVENTS, NO_GRAPH),
        memory=Memory(NO_ALLOCATOR, NO_ALLOCATOR, 123_456_789),
        energy=NO_NVML,
        watch=NO_NVML,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def counted(model: str, flops: int, **changes: object) -> Record:
    """A record of `bench count`: nothing was measured."""
    no = Missing("not_asked", "only counted")
    changes = {"latency": no, "memory": no, "energy": no, "watch": no, **changes}
    return record(model, flops, 1.0, **changes)


def gpu_record(model: str, flops: int, graph_s: float, batch: int = 1) -> Record:
    """A record of a GPU run: three latencies and energy."""
    activity = CardActivity(0.95, 0.4, 0.0, 0.5, 0.6, 2e12)
    trial = EnergyTrial(500.0, 2.0, graph_s, ticks=20, edge_j=0.5, temperature_c=(60.0, 61.0), activity=activity)
    energy = Energy(
        source="counter",
        skipped=(),
        tick_s=0.1,
        averaging_s=Missing("not_probed", "not probed"),
        batch=batch,
        trials=(trial, replace(trial, window_j=505.0)),
        idle_w=60.0,
        sensor_relative=0.05,
        cross_check_j_per_j=1.01,
        mode="graph",
        slowdown=0.001,
    )
    watch = Watch(
        (1.4e9, 1.38e9, 1.41e9), (1.5e9,), (60.0, 62.0), 0.1, ("sw_power_cap",), 0, flags=("clocks_unlocked",)
    )
    return record(
        model,
        flops,
        2 * graph_s,
        workload=Workload(model, {}, source="zoo", inputs=(f"{batch}x3x224x224:float32",), batch=batch, threads=2),
        environment=GPU,
        latency=Latencies(
            latency(2 * graph_s, n=700),
            replace(latency(1.02 * graph_s, n=700), method="filled_queue"),
            latency(graph_s, n=700),
        ),
        memory=Memory(300_000_000, 400_000_000, Missing("not_read", "the host's memory was not read")),
        energy=energy,
        watch=watch,
    )


RESNET50 = record("resnet50", 4_089_184_256, 0.0713, cost=cost(4_089_184_256, params=25_557_032))
VOVNET39 = record("vovnet39", 7_072_227_328, 0.051)
UNKNOWN = record("timm:spectral_net", 4_000_000_000, 0.08, cost=cost(4_000_000_000, unknown=True))
EVIL = record(NASTY, 41_000_000, 0.00123, latency=Latencies(latency(0.00123, n=4), NO_EVENTS, NO_GRAPH))
EVERY = (
    RESNET50,
    VOVNET39,
    UNKNOWN,
    EVIL,
    replace(VOVNET39, workload=replace(VOVNET39.workload, batch=8, inputs=("8x3x224x224:float32",))),
    gpu_record("resnet50", 4_089_184_256, 0.0011),
    gpu_record("vovnet39", 7_072_227_328, 0.0010),
    counted("vgg19", 19_632_062_464),
)
