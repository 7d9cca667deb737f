"""The commands: words in, words out; no decisions. One file a group of commands.

Nothing heavy is imported here or at the top of a command's file: `--help` and
`list` must not wait for torch.
"""

from backbone_bench.cli import app as _app
from backbone_bench.cli.app import main

__all__ = ["main"]

del _app
