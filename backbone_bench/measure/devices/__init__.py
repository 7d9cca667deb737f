"""Devices that can be measured, behind the `Device` protocol: CPU, torch accelerators, CUDA."""
