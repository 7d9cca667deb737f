"""Why NVML has no answer: its error codes as stable ids and sentences that say what to do."""

from backbone_bench.records import Missing

NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND = 3, 4, 9, 12, 13
GPU_IS_LOST, RESET_REQUIRED, VERSION_MISMATCH, NOT_READY = 15, 16, 18, 27
NOT_FOUND = (2, 6, 28)  # invalid argument (a malformed key), not found, GPU not found

_ANSWERS = {
    NOT_SUPPORTED: ("not_supported", "{what} is not supported on {name} (vGPU, pre-Volta, laptop or Jetson)."),
    NO_PERMISSION: ("no_permission", "{what} needs rights that this user lacks. Run it as root, or ask for them."),
    FUNCTION_NOT_FOUND: ("function_not_found", "the driver is older than the NVML call for {what}."),
    GPU_IS_LOST: ("gpu_lost", "{name} fell off the bus (Xid?). See dmesg."),
    RESET_REQUIRED: ("gpu_lost", "{name} needs a reset (Xid?). See dmesg."),
    NOT_READY: ("not_ready", "NVML is not ready for {what} (code 27). Try again in a while."),
}


def no_answer(code: int, what: str, name: str) -> Missing:
    """Why a call failed that asked a card called `name` for `what`."""
    id, sentence = _ANSWERS.get(code, ("nvml_failed", f"NVML answers {{what}} with error {code}."))
    said = sentence.format(what=what, name=name)
    return Missing(id, said[0].upper() + said[1:])


def no_library(code: int, library: str, module: str) -> Missing:
    """Why NVML could not be started; `library` and `module` are the versions on either side of the kernel's border."""
    if code == LIBRARY_NOT_FOUND:
        return Missing(
            "nvml_missing",
            "libnvidia-ml.so.1 not found. In a container pass NVIDIA_DRIVER_CAPABILITIES=utility,compute.",
        )
    if code == DRIVER_NOT_LOADED:
        return Missing("driver_not_loaded", "The NVIDIA kernel driver is not loaded. See lsmod and dmesg.")
    if code == VERSION_MISMATCH:
        return Missing(
            "version_mismatch",
            f"NVML library {library} and kernel module {module} differ (driver updated without reboot?). "
            "Reboot or reload the module.",
        )
    return no_answer(code, "starting NVML", "the GPU")


JETSON = Missing("jetson", "On Jetson NVML has no power; it is not supported yet.")


def wrong_pynvml(where: str) -> Missing:
    return Missing(
        "wrong_pynvml",
        f'The installed "pynvml" ({where}) shadows nvidia-ml-py. '
        "pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py.",
    )


def name_differs(nvml: str, torch: str) -> Missing:
    return Missing("name_differs", f"NVML says {nvml}, torch says {torch}: not measuring the wrong card.")


def unknown_to_nvml(name: str, uuid: str | None) -> Missing:
    seen = f" ({uuid})" if uuid else ""
    return Missing("uuid_not_found", f"{name}{seen} is unknown to NVML (vGPU, or another container's view).")


def mig(name: str) -> Missing:
    return Missing(
        "mig", f"Power is per card, not per MIG slice of {name}: not reported. --allow-whole-card to see it."
    )
