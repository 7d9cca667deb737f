"""The program: a signal is heard from here on, also while the command line is being loaded."""

import signal
import sys
from typing import NoReturn

from backbone_bench.base import signals


def main() -> NoReturn:
    """What the console scripts call."""
    try:
        with signals.handled():
            from backbone_bench.cli import main as command_line

            command_line()
    except signals.Interrupted as stopped:
        print(f"bench: {stopped}.", file=sys.stderr)
        raise SystemExit(stopped.exit_code) from None
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is said: no traceback while Python tidies up


if __name__ == "__main__":
    main()
