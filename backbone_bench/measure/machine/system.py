"""Properties of the host machine: processor, memory, system, container, CI. No slow import.

Files are read below `root`, which a test can replace.
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

# Environment variables that change what torch does or where it runs; their values are recorded.
_VARIABLES = re.compile(
    r"CUDA_(VISIBLE_DEVICES|DEVICE_ORDER|LAUNCH_BLOCKING|MODULE_LOADING|DEVICE_MAX_CONNECTIONS)|NVIDIA_TF32_OVERRIDE"
    r"|CUDA_MPS_(ACTIVE_THREAD_PERCENTAGE|PINNED_DEVICE_MEM_LIMIT)|(HIP|ROCR)_VISIBLE_DEVICES|HIPBLASLT_ALLOW_TF32"
    r"|TORCH_(ALLOW_TF32_CUBLAS_OVERRIDE|CUDNN_V8_API_DISABLED|BLAS_PREFER_CUBLASLT)|PYTORCH_(CUDA_|HIP_)?ALLOC_CONF"
    r"|CUBLAS_WORKSPACE_CONFIG|ATEN_CPU_CAPABILITY|(ONEDNN|DNNL)_MAX_CPU_ISA|ONEDNN_DEFAULT_FPMATH_MODE"
    r"|MKL_(NUM_THREADS|ENABLE_INSTRUCTIONS|CBWR)|OMP_(NUM_THREADS|PROC_BIND|PLACES|WAIT_POLICY)|GOMP_CPU_AFFINITY"
    r"|KMP_(AFFINITY|BLOCKTIME)|MALLOC_ARENA_MAX"
)

# CI services: environment variable, provider, and the variable with the name of the runner.
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
    """Name of the processor from Linux or macOS, else Python's name for it."""
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return found[1].strip() if found else _mac() or platform.processor() or platform.machine()


def _mac() -> str:
    """Name of the processor on a Mac (`Apple M3 Max`; Python says `arm`). Empty on other systems."""
    if platform.system() != "Darwin":
        return ""
    command = ["sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def cores() -> int:
    return os.cpu_count() or 1


def affinity() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores()


def memory_bytes(root: Path = ROOT) -> Known[int]:
    """Memory that this process may use: that of the machine, or the limit of its control group if lower."""
    total = re.search(r"^MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if total is None:
        return Missing("no_meminfo", "The size of the memory is not available (/proc/meminfo).")
    limit = _text(root / "sys/fs/cgroup/memory.max").strip()
    return min(int(total[1]) * 1024, int(limit)) if limit.isdecimal() else int(total[1]) * 1024


def available_bytes(root: Path = ROOT) -> Known[int]:
    """Memory available without swapping: of the machine, or of the control group if that has less left."""
    free = re.search(r"^MemAvailable:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if free is None:
        return Missing("no_meminfo", "The free memory is not available (/proc/meminfo).")
    left = _left_in_group(root / "sys/fs/cgroup")
    return int(free[1]) * 1024 if left is None else min(int(free[1]) * 1024, left)


def _left_in_group(group: Path) -> int | None:
    """Bytes left below the limit of the control group; cached files count as free. None without a limit."""
    limit, used = (_text(group / name).strip() for name in ("memory.max", "memory.current"))
    if not (limit.isdecimal() and used.isdecimal()):
        return None
    files = re.search(r"^inactive_file (\d+)", _text(group / "memory.stat"), re.MULTILINE)
    return int(limit) - int(used) + (int(files[1]) if files else 0)


def governor(root: Path = ROOT) -> Known[str]:
    """Frequency governor of the processor: `performance`, `powersave`, `schedutil`."""
    name = _text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    return name or Missing(
        "no_cpufreq",
        "The frequency governor is not available. Nothing to do in a virtual machine, which hides it.",
    )


def load_average(root: Path = ROOT) -> Known[float]:
    """Load average: number of runnable threads over the last minute."""
    found = re.match(r"\d+\.\d+", _text(root / "proc/loadavg"))
    return float(found[0]) if found else Missing("no_loadavg", "The load average is not available (/proc/loadavg).")


def system() -> str:
    """Name and version of the operating system: `Ubuntu 24.04.3 LTS`, `Darwin 25.1`."""
    if hasattr(platform, "freedesktop_os_release"):
        try:
            return platform.freedesktop_os_release()["PRETTY_NAME"]
        except OSError:
            pass  # no such file: use the name of the kernel
    return f"{platform.system()} {platform.release()}"


def kernel() -> str:
    return platform.release()


def host(name: str | None = None) -> str:
    """Digest of the name of a host, this one if None: distinguishes hosts without naming them."""
    return hashlib.sha256((name or platform.node()).encode()).hexdigest()[:12]


def siblings(core: int, root: Path = ROOT) -> int:
    """The first of the logical processors that share a physical core with this one; itself if that is not known."""
    found = re.match(r"\d+", _text(root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"))
    return int(found[0]) if found else core


def wsl(root: Path = ROOT) -> bool:
    return "microsoft" in _text(root / "proc/version").lower()


def nvidia_module(root: Path = ROOT) -> str | None:
    """Version of the NVIDIA kernel module; None if it is not loaded."""
    found = re.search(r"Kernel Module\D*([\d.]+)", _text(root / "proc/driver/nvidia/version"))
    return found[1] if found else None


def container(root: Path = ROOT, variables: Mapping[str, str] = os.environ) -> str | None:
    """Kind of container that this process runs in; None if none is detected."""
    if "KUBERNETES_SERVICE_HOST" in variables:
        return "kubernetes"
    for variable, kind in (("APPTAINER_CONTAINER", "apptainer"), ("SINGULARITY_CONTAINER", "singularity")):
        if variable in variables:
            return kind
    if (root / "run/.containerenv").exists():
        return "podman"
    return "docker" if (root / ".dockerenv").exists() else variables.get("container") or None


def ci(variables: Mapping[str, str] = os.environ) -> str | None:
    """Provider of continuous integration, with the name of the runner if known; None outside CI."""
    for variable, provider, runner in _PROVIDERS:
        if variables.get(variable):
            return f"{provider}:{variables[runner]}" if variables.get(runner) else provider
    return None


def torch_variables(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables that are set and change what torch does."""
    return {name: value for name, value in sorted(variables.items()) if _VARIABLES.fullmatch(name)}


def version(packages: Iterable[str]) -> str | None:
    """Version of the first installed one of these packages, without importing it; None if none is installed."""
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return None


def _text(path: Path) -> str:
    """Text of a file; empty if it is absent or unreadable."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
