"""What needs torchvision and timm beside it: `make test-extras`. Without them it skips, with the reason."""
