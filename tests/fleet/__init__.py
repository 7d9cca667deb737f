"""Tests that need a cluster: `make test-fleet` starts one here. Without Slurm they are skipped, with the reason."""
