"""Reasons why NVML gives no value: its error codes as stable ids, with a sentence and a remedy."""

from backbone_bench.records import Missing

NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND = 3, 4, 9, 12, 13
GPU_IS_LOST, RESET_REQUIRED, VERSION_MISMATCH, NOT_READY = 15, 16, 18, 27
NOT_FOUND = (2, 6, 28)  # NVML codes: invalid argument (a malformed key), not found, GPU not found

_ANSWERS = {
    NOT_SUPPORTED: ("not_supported", "{what} is not supported on {name} (vGPU, pre-Volta, laptop or Jetson)."),
    NO_PERMISSION: (
        "no_permission",
        "{what} needs permissions that this user does not have. Run as root, or ask the administrator.",
    ),
    FUNCTION_NOT_FOUND: (
        "function_not_found",
        "the NVIDIA driver is too old for {what}: it lacks the NVML call. Update the driver.",
    ),
    GPU_IS_LOST: ("gpu_lost", "{name} is lost: it fell off the bus (Xid error?). See dmesg."),
    RESET_REQUIRED: ("gpu_lost", "{name} needs a reset (Xid error?). See dmesg."),
    NOT_READY: ("not_ready", "NVML is not ready for {what} (code 27). Try again later."),
}


def no_answer(code: int, what: str, name: str) -> Missing:
    """Reason why an NVML call for `what` failed on the card `name`."""
    id, sentence = _ANSWERS.get(code, ("nvml_failed", f"NVML returns error {code} for {{what}}."))
    message = sentence.format(what=what, name=name)
    return Missing(id, message[0].upper() + message[1:])


def no_library(code: int, library: str, module: str) -> Missing:
    """Reason why NVML did not start. `library`, `module`: versions of the NVML library and of the kernel module."""
    if code == LIBRARY_NOT_FOUND:
        return Missing(
            "nvml_missing",
            "libnvidia-ml.so.1 not found. Install the NVIDIA driver; "
            "in a container pass NVIDIA_DRIVER_CAPABILITIES=utility,compute.",
        )
    if code == DRIVER_NOT_LOADED:
        return Missing(
            "driver_not_loaded",
            "The NVIDIA kernel driver is not loaded. Load it (sudo modprobe nvidia), and see dmesg if that fails.",
        )
    if code == VERSION_MISMATCH:
        return Missing(
            "version_mismatch",
            f"NVML library {library} and kernel module {module} differ (driver updated without reboot?). "
            "Reboot or reload the module.",
        )
    return no_answer(code, "starting NVML", "the GPU")


JETSON = Missing("jetson", "On Jetson NVML does not report power: energy is not supported there yet.")


def wrong_pynvml(where: str) -> Missing:
    """Reason: another package, imported from `where`, shadows NVIDIA's binding."""
    return Missing(
        "wrong_pynvml",
        f'The installed "pynvml" ({where}) shadows nvidia-ml-py. '
        "Run: pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py.",
    )


def no_activity(name: str) -> Missing:
    """Reason: the card does not count what its parts do."""
    return Missing(
        "no_activity_counters",
        f"{name} does not count what its memory and its multiprocessors do: NVIDIA's cards from Hopper on do.",
    )


def name_differs(nvml: str, torch: str) -> Missing:
    """Reason: NVML and torch report different names for one card."""
    return Missing(
        "name_differs",
        f"NVML reports {nvml} but torch reports {torch}: not measured, because it may be the wrong card.",
    )


def unknown_to_nvml(name: str, uuid: str | None) -> Missing:
    """Reason: NVML does not find the card of torch."""
    id = f" ({uuid})" if uuid else ""
    return Missing("uuid_not_found", f"{name}{id} is unknown to NVML (a vGPU, or a container that hides the card?).")


def mig(name: str) -> Missing:
    """Reason: the device is a MIG slice, and power is known only for the whole card."""
    return Missing(
        "mig",
        f"NVML reports power of the whole card, not of one MIG slice of {name}. "
        "Use --allow-whole-card to report the whole card.",
    )
