"""NVIDIA cards by way of NVML: the one user of pynvml."""
