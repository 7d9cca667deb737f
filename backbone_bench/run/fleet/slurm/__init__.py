"""Slurm as the engine of a fleet, by its own commands: an array of jobs that run rows, and one that collects."""
