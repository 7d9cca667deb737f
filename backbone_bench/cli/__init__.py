"""The commands: words in, words out; no decisions. One file a group of commands.

Nothing heavy is imported here or at the top of a command's file: `--help` and
`list` must not wait for torch.
"""

from importlib import import_module

from backbone_bench.cli.app import main

__all__ = ["main"]

# In the order in which `--help` shows their commands.
for _group in (
    "run",
    "versus",
    "count",
    "listing",
    "compare",
    "report",
    "claims",
    "check",
    "gate",
    "history",
    "again",
    "doctor",
    "config",
):
    import_module(f"backbone_bench.cli.{_group}")
