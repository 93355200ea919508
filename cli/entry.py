"""The program's entry: an interrupt while it still loads ends it as quietly as one later."""

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    try:
        from .guard import end_guard, start_guard  # noqa: PLC0415 - loading is what may be interrupted

        start_guard()
        from .main import run  # noqa: PLC0415

        code = run()
        end_guard()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 3
    sys.exit(code)
