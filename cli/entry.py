"""The program's entry: an interrupt, or too little memory, ends it with one line even while it still loads."""

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
    except (OSError, MemoryError, ImportError) as error:
        # the exit code 1 would say that a claim is false
        sys.stderr.write(f"error: the program could not be loaded ({error})\n")
        code = 4
    sys.exit(code)
