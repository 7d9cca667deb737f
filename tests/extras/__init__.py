"""Tests that need torchvision and timm: `make test-extras`. Without them they are skipped, with the reason."""
