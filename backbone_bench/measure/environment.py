"""The environment of a record: everything that can make two runs of one workload differ."""

import platform
from collections.abc import Callable
from typing import Literal, TypeVar

import torch

from backbone_bench.base.choices import is_host
from backbone_bench.measure.call import precision
from backbone_bench.measure.machine import system
from backbone_bench.records import Environment, Gpu, Known, Missing

T = TypeVar("T")


def read(device_name: str, *, locked_clock_hz: float | Literal["base"] | None = None) -> Environment:
    """Read the environment as it is now, with the current precision switches.

    `device_name`: torch's name of the device, or `meta` if the model is only counted.
    `locked_clock_hz`: the SM clock that this run locks, if any.
    """
    kind = torch.device(device_name).type
    switches = precision.read(device_name)
    cudnn = torch.backends.cudnn.version() if kind == "cuda" else None
    return Environment(
        device=device_name,
        device_name=_device_name(kind, device_name),
        torch=torch.__version__,
        python=platform.python_version(),
        os=system.system(),
        cpu=system.cpu(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        cores=system.cores(),
        affinity=system.affinity(),
        memory_bytes=system.memory_bytes(),
        conv_fp32=switches.conv_fp32,
        matmul_fp32=switches.matmul_fp32,
        cudnn_benchmark=switches.cudnn_benchmark,
        deterministic=switches.deterministic,
        numpy=system.version(("numpy",)),
        cuda=torch.version.cuda,
        cudnn=None if cudnn is None else str(cudnn),
        triton=system.version(("triton", "pytorch-triton")),
        governor=system.governor(),
        kernel=system.kernel(),
        host=system.host(),
        container=system.container(),
        wsl=system.wsl(),
        ci=system.ci(),
        gpu=_gpu(device_name, locked_clock_hz) if kind == "cuda" else None,
        variables=system.torch_variables(),
    )


def _device_name(kind: str, device_name: str) -> str:
    if is_host(kind):
        return system.cpu()
    if kind == "meta":
        return kind
    if kind == "cuda":
        return torch.cuda.get_device_name(device_name)
    module = torch.get_device_module(kind)
    return module.get_device_name(device_name) if hasattr(module, "get_device_name") else kind


def _gpu(device_name: str, locked_clock_hz: float | Literal["base"] | None) -> Gpu:
    """The card as torch and NVML describe it."""
    from backbone_bench.measure.nvml.card import Card, known
    from backbone_bench.measure.nvml.find import card_for  # pynvml is slow to import, and only a GPU needs it

    properties = torch.cuda.get_device_properties(device_name)
    card = card_for(device_name)

    def ask(property_of: Callable[[Card], T]) -> Known[T]:
        return card if isinstance(card, Missing) else known(lambda: property_of(card))

    return Gpu(
        name=properties.name,
        uuid=ask(Card.uuid),
        pci=ask(Card.pci),
        multiprocessors=properties.multi_processor_count,
        compute_capability=f"{properties.major}.{properties.minor}",
        memory_bytes=properties.total_memory,
        memory_bus_bits=_property(properties, "memory_bus_width"),
        l2_bytes=_property(properties, "L2_cache_size"),
        driver=ask(Card.driver),
        nvml=ask(Card.library),
        vbios=ask(Card.vbios),
        ecc=ask(Card.ecc),
        mig=ask(lambda card: card.sliced),
        virtualization=ask(Card.virtualization),
        persistence=ask(Card.persistence),
        power_limit_w=ask(Card.power_limit_w),
        default_power_limit_w=ask(Card.default_power_limit_w),
        max_sm_clock_hz=ask(Card.max_sm_clock_hz),
        max_memory_clock_hz=ask(Card.max_memory_clock_hz),
        locked_clock_hz=_lock(locked_clock_hz),
    )


def _lock(clock_hz: float | Literal["base"] | None) -> Known[float]:
    if clock_hz is None:
        return Missing("not_locked", "This run does not lock the clocks; another program may have done so.")
    if clock_hz == "base":
        return Missing("base_clock", "The SM clock is locked at the base clock, whose frequency NVML does not report.")
    return clock_hz


def _property(properties: object, name: str) -> Known[int]:
    value = getattr(properties, name, 0)
    return value or Missing("not_told", f"This version of torch does not report {name}.")
