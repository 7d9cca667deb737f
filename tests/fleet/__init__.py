"""Tests that need a cluster: `make test-fleet` starts one. Without the engine they are skipped, with the reason."""
