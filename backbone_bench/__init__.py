"""Exact counts, honest measurements and checked claims for CNN backbones and any torch model."""

__version__ = "0.1.0"
