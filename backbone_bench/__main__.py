"""Entry point of the program. Signals are handled from here on, also while the command line is still loading."""

import signal
import sys
from typing import NoReturn

from backbone_bench.base import exits, signals, watched


def main() -> NoReturn:
    """Run the command line; the console scripts call this."""
    exits.refuse()  # for good: a model may leave threads and handlers behind
    try:
        with signals.handled(), watched.splittable():
            from backbone_bench.cli import main as command_line

            command_line()
    except signals.Interrupted as interrupted:
        print(f"bench: {interrupted}.", file=sys.stderr)
        raise SystemExit(interrupted.exit_code) from None
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # the output is complete: no traceback while Python shuts down


if __name__ == "__main__":
    main()
