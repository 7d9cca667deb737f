"""NVIDIA cards through NVML. Only this package imports pynvml."""
