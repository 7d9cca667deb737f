"""The command line beside the API."""

from tests.cli.conftest import bench

__all__ = ["bench"]
