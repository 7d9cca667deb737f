"""Measurements of a model on a device: latency, energy, memory, and the environment of the run."""
