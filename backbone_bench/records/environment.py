"""Environment: the hardware and software that affect a measurement."""

import re
from collections.abc import Mapping

from pydantic.dataclasses import dataclass

from backbone_bench.base.choices import is_host
from backbone_bench.records.missing import STRICT, Known, Missing

VISIBLE_DEVICES = re.compile(r"\w*VISIBLE_DEVICES")  # variables by which an engine gives a process its devices


@dataclass(frozen=True, slots=True, config=STRICT)
class Gpu:
    """The accelerator as its driver describes it."""

    name: str
    uuid: Known[str]
    pci: Known[str]
    multiprocessors: Known[int]
    compute_capability: Known[str]
    memory_bytes: Known[int]
    memory_bus_bits: Known[int]
    l2_bytes: Known[int]
    driver: Known[str]
    nvml: Known[str]
    vbios: Known[str]
    ecc: Known[bool]
    mig: Known[bool]
    virtualization: Known[str]
    persistence: Known[bool]
    power_limit_w: Known[float]
    default_power_limit_w: Known[float]
    max_sm_clock_hz: Known[float]
    max_memory_clock_hz: Known[float]
    locked_clock_hz: Known[float]  # only a lock by this program: the driver does not report locks by others


@dataclass(frozen=True, slots=True, config=STRICT)
class Environment:
    """Machine, device and software of a record; the gate refuses to compare records of differing ones."""

    device: str  # `cpu`, `cuda:0`; `meta` if only counted
    device_name: str
    torch: str
    python: str
    os: str
    cpu: str
    cpu_capability: str  # the widest vector instructions torch uses, e.g. AVX512
    cores: int
    affinity: int  # number of cores that this process may use
    memory_bytes: Known[int]
    conv_fp32: str  # `ieee` or `tf32`: how a float32 convolution is really computed
    matmul_fp32: str
    cudnn_benchmark: bool | None
    deterministic: bool
    numpy: str | None = None
    cuda: str | None = None  # the version torch was built for
    cudnn: str | None = None
    triton: str | None = None
    governor: Known[str] = Missing("not_read", "not read")
    kernel: str | None = None
    host: str | None = None  # a digest of the host's name: enough to distinguish two hosts
    container: str | None = None
    wsl: bool = False
    ci: str | None = None  # the CI provider and, if known, the name of the runner
    gpu: Known[Gpu] | None = None
    variables: Mapping[str, str] | None = None  # environment variables that change what torch does

    @property
    def is_host(self) -> bool:
        """Whether the model ran on the CPU."""
        return is_host(self.device)
