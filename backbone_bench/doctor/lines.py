"""Lines of a diagnosis, and the remedies for values that cannot be read."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from backbone_bench.records import Missing

Grade = Literal["good", "weak", "missing"]

# By the id of a Missing: what to type or to do. A reason without an entry has no remedy on this machine.
REMEDIES: Mapping[str, str] = {
    "no_permission": "Run bench as root.",
    "function_not_found": "Install a newer NVIDIA driver.",
    "gpu_lost": "Look for the Xid error: sudo dmesg",
    "not_ready": "Run bench doctor again in a minute.",
    "nvml_missing": "Install the NVIDIA driver; for a container: -e NVIDIA_DRIVER_CAPABILITIES=utility,compute",
    "driver_not_loaded": "sudo modprobe nvidia",
    "version_mismatch": "sudo reboot",
    "wrong_pynvml": "pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py",
    "mig": "bench run MODEL --allow-whole-card",
    "rapl_missing": "Run bench on the host, outside the virtual machine or container.",
    "rapl_no_permission": "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
}


class DoctorLine(NamedTuple):
    """One line of a diagnosis: a topic, its grade, the finding, and the remedy if there is one."""

    topic: str
    grade: Grade
    found: str
    remedy: str = ""


def missing_line(topic: str, missing: Missing, grade: Grade = "missing") -> DoctorLine:
    """Line for a Missing: its message is the finding, its id finds the remedy."""
    return DoctorLine(topic, grade, missing.message, REMEDIES.get(missing.missing, ""))
