"""Fixture `bench`, to compare the API with the command line."""

from tests.cli.conftest import bench

__all__ = ["bench"]
