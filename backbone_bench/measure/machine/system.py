"""The machine around a device: processor, system, container, CI. Nothing heavy is imported.

Files are looked up under a root that a test can exchange.
"""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from backbone_bench.records import Known, Missing

ROOT = Path("/")

# Variables that change what torch does or where it runs; their values are recorded.
_VARIABLES = re.compile(
    r"CUDA_(VISIBLE_DEVICES|DEVICE_ORDER|LAUNCH_BLOCKING|MODULE_LOADING|DEVICE_MAX_CONNECTIONS)|NVIDIA_TF32_OVERRIDE"
    r"|CUDA_MPS_(ACTIVE_THREAD_PERCENTAGE|PINNED_DEVICE_MEM_LIMIT)|(HIP|ROCR)_VISIBLE_DEVICES|HIPBLASLT_ALLOW_TF32"
    r"|TORCH_(ALLOW_TF32_CUBLAS_OVERRIDE|CUDNN_V8_API_DISABLED|BLAS_PREFER_CUBLASLT)|PYTORCH_(CUDA_|HIP_)?ALLOC_CONF"
    r"|CUBLAS_WORKSPACE_CONFIG|ATEN_CPU_CAPABILITY|(ONEDNN|DNNL)_MAX_CPU_ISA|ONEDNN_DEFAULT_FPMATH_MODE"
    r"|MKL_(NUM_THREADS|ENABLE_INSTRUCTIONS|CBWR)|OMP_(NUM_THREADS|PROC_BIND|PLACES|WAIT_POLICY)|GOMP_CPU_AFFINITY"
    r"|KMP_(AFFINITY|BLOCKTIME)|MALLOC_ARENA_MAX"
)

# Variable, provider, and the variable with the runner's name.
_PROVIDERS = (
    ("GITHUB_ACTIONS", "github", "RUNNER_NAME"),
    ("GITLAB_CI", "gitlab", "CI_RUNNER_DESCRIPTION"),
    ("BUILDKITE", "buildkite", "BUILDKITE_AGENT_NAME"),
    ("JENKINS_URL", "jenkins", "NODE_NAME"),
    ("CIRCLECI", "circleci", "CIRCLE_NODE_INDEX"),
    ("TF_BUILD", "azure", "AGENT_NAME"),
    ("CI", "unknown", "HOSTNAME"),
)


def cpu(root: Path = ROOT) -> str:
    """The processor's name; where neither Linux nor macOS tells it, what Python calls the processor."""
    told = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return told[1].strip() if told else _mac() or platform.processor() or platform.machine()


def _mac() -> str:
    """What a Mac calls its processor (`Apple M3 Max`, where Python says `arm`); empty elsewhere."""
    if platform.system() != "Darwin":
        return ""
    ask = ["sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()


def cores() -> int:
    return os.cpu_count() or 1


def affinity() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores()


def memory_bytes(root: Path = ROOT) -> Known[int]:
    """What this process may use: the machine's memory, or its control group's limit."""
    total = re.search(r"^MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if total is None:
        return Missing("no_meminfo", "The size of the memory is not told here (/proc/meminfo).")
    limit = _text(root / "sys/fs/cgroup/memory.max").strip()
    return min(int(total[1]) * 1024, int(limit)) if limit.isdecimal() else int(total[1]) * 1024


def available_bytes(root: Path = ROOT) -> Known[int]:
    """What can still be used without swapping: of the machine, or of the control group where that has less left."""
    free = re.search(r"^MemAvailable:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if free is None:
        return Missing("no_meminfo", "The free memory is not told here (/proc/meminfo).")
    left = _left_in_group(root / "sys/fs/cgroup")
    return int(free[1]) * 1024 if left is None else min(int(free[1]) * 1024, left)


def _left_in_group(group: Path) -> int | None:
    """Bytes below the limit, files that can be dropped counted as free; None without a limit."""
    limit, used = (_text(group / name).strip() for name in ("memory.max", "memory.current"))
    if not (limit.isdecimal() and used.isdecimal()):
        return None
    files = re.search(r"^inactive_file (\d+)", _text(group / "memory.stat"), re.MULTILINE)
    return int(limit) - int(used) + (int(files[1]) if files else 0)


def governor(root: Path = ROOT) -> Known[str]:
    """Who chooses the processor's clock: `performance`, `powersave`, `schedutil`."""
    told = _text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    return told or Missing(
        "no_cpufreq",
        "Who chooses the processor's clock is not told. Nothing to do in a virtual machine, which hides it.",
    )


def load_average(root: Path = ROOT) -> Known[float]:
    """How many threads wanted to run in the last minute, by the kernel's own average."""
    told = re.match(r"\d+\.\d+", _text(root / "proc/loadavg"))
    return float(told[0]) if told else Missing("no_loadavg", "The load is not told here (/proc/loadavg).")


def system() -> str:
    """`Ubuntu 24.04.3 LTS`, `Darwin 25.1`."""
    if hasattr(platform, "freedesktop_os_release"):
        try:
            return platform.freedesktop_os_release()["PRETTY_NAME"]
        except OSError:
            pass  # no such file: the kernel's name will do
    return f"{platform.system()} {platform.release()}"


def kernel() -> str:
    return platform.release()


def host() -> str:
    """A digest of the host's name: two hosts can be told apart without being named."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]


def wsl(root: Path = ROOT) -> bool:
    return "microsoft" in _text(root / "proc/version").lower()


def nvidia_module(root: Path = ROOT) -> str | None:
    """The version of the NVIDIA kernel module, if it is loaded."""
    told = re.search(r"Kernel Module\D*([\d.]+)", _text(root / "proc/driver/nvidia/version"))
    return told[1] if told else None


def container(root: Path = ROOT, variables: Mapping[str, str] = os.environ) -> str | None:
    """The kind of container this runs in, as far as it shows."""
    if "KUBERNETES_SERVICE_HOST" in variables:
        return "kubernetes"
    for variable, kind in (("APPTAINER_CONTAINER", "apptainer"), ("SINGULARITY_CONTAINER", "singularity")):
        if variable in variables:
            return kind
    if (root / "run/.containerenv").exists():
        return "podman"
    return "docker" if (root / ".dockerenv").exists() else variables.get("container") or None


def ci(variables: Mapping[str, str] = os.environ) -> str | None:
    """The provider of continuous integration, with the runner's name where there is one."""
    for variable, provider, runner in _PROVIDERS:
        if variables.get(variable):
            return f"{provider}:{variables[runner]}" if variables.get(runner) else provider
    return None


def torch_variables(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment variables that change what torch does, those that are set."""
    return {name: value for name, value in sorted(variables.items()) if _VARIABLES.fullmatch(name)}


def version(packages: Iterable[str]) -> str | None:
    """The version of the first of these packages that is installed; nothing is imported."""
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return None


def _text(path: Path) -> str:
    """A file's text; empty where there is none or it may not be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
