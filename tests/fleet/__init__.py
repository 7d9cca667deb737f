"""Tests that need a cluster: `make test-fleet` starts them here. Without the engine they are skipped, with the reason."""
