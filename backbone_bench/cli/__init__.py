"""The command line: each file parses the options of a group of commands, calls the package and prints the answer.

Torch, pydantic and the like are imported inside the commands, not at the top of a file: `--help` and `list` must not
wait for them.
"""

from importlib import import_module

from backbone_bench.cli.app import main

__all__ = ["main"]

# `--help` lists the commands in this order.
for _group in (
    "run",
    "fleet",
    "versus",
    "predict",
    "calibrate",
    "count",
    "listing",
    "compare",
    "report",
    "claims",
    "check",
    "gate",
    "bisect",
    "history",
    "again",
    "doctor",
    "config",
):
    import_module(f"backbone_bench.cli.{_group}")
