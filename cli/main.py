"""The command line's commands, each imported when it is called, so that help comes at once.

Exit codes: 0 done, 1 a claim is false, 2 bad input or usage, 3 stopped undecided, 4 the machine failed (a full disk, a
closed stream, too little memory), or the program itself.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TextIO

import click

from exactdrl import InputError, __version__
from exactdrl.front.options import MachineError, temporary_listeners

from . import guard

# name: module, attribute, and the first sentence of its help, which a test compares with the command's own
COMMANDS = {
    "sample": (
        "sample",
        "sample_command",
        "Draw the published experiment's random problem, or one like it with another loss or activation.",
    ),
    "import": (
        "importing",
        "import_command",
        "Write an instance from a network and data, or from a named data set.",
    ),
    "walk": (
        "walk",
        "walk_command",
        "Walk from INSTANCE's start to a local minimum, and write the certificate as it goes.",
    ),
    "verify": (
        "verify",
        "verify_command",
        "Check the certificate RUN of a walk on INSTANCE, and CLAIMS about it, with the stand-alone checker.",
    ),
    "show": (
        "show",
        "show_command",
        "Show how the walk RUN on INSTANCE ended: outcome, loss, and the parameters of the last vertex.",
    ),
    "judge": (
        "judge",
        "judge_command",
        "Is the point of INSTANCE a local minimum of one layer's loss, or of the loss in all parameters?",
    ),
    "minimum": (
        "minimum",
        "minimum_command",
        "Is INSTANCE's start a local minimum? The start may lie on a vertex, between vertices or inside a cell.",
    ),
    "embed": (
        "embed",
        "embed_command",
        "Add hidden units to INSTANCE's network that keep its function, and judge what becomes of the point.",
    ),
    "snap": (
        "snap",
        "snap_command",
        "Find the exact point that INSTANCE's trained floats approximate: is it a local minimum?",
    ),
    "cells": (
        "cells",
        "cells_command",
        "List the cells of one unit on DATA, count those of K units, and judge them.",
    ),
    "global": (
        "global_",
        "global_command",
        "Find the least loss that K hidden units can reach on DATA, with a proof that no network does better.",
    ),
    "spurious": (
        "spurious",
        "spurious_command",
        "Build a spurious minimum for DATA: a local minimum in all parameters that another point beats.",
    ),
    "regress": (
        "regress",
        "regress_command",
        "Fit an exact quantile regression to the table DATA: least absolute deviations where no level is named.",
    ),
    "elaborate": (
        "elaborate",
        "elaborate_command",
        "Write hints for the proved checker: `proofs/coq/check INSTANCE RUN HINTS` (proofs/coq/README.md).",
    ),
    "rerun": (
        "rerun",
        "rerun_command",
        "Walk again on INSTANCE in exact arithmetic, and demand the steps of RUN, one by one.",
    ),
    "audit": (
        "audit",
        "audit_command",
        "Judge the float trajectory POINTS on INSTANCE that any other program made, row by row, exactly.",
    ),
    "visits": (
        "visits",
        "visits_command",
        "Show which cells the training POINTS visits on INSTANCE, with the exact loss at each recorded point.",
    ),
    "export": (
        "export",
        "export_command",
        "Write the exact vertices and losses of the walk RUN on INSTANCE as tables.",
    ),
    "observe": (
        "observe",
        "observe_command",
        "Observe the walk RUN on INSTANCE: decay, early estimates, densities; write what is certain as claims.",
    ),
    "plot": (
        "plot",
        "plot_command",
        "Draw loss, step lengths, distances and densities of the walk RUN on INSTANCE, with the data.",
    ),
    "slice": (
        "slice",
        "slice_command",
        "Draw the loss of INSTANCE in a plane of parameters: its kinks exactly, its values as grey, the path of RUN.",
    ),
    "report": (
        "report",
        "report_command",
        "Write one HTML page about the walk RUN on INSTANCE: verdict, figures, claims, how to do it again.",
    ),
    "campaign": (
        "campaign",
        "campaign_command",
        "Run many walks from a small TOML file, tabulate them, and say which published observations hold how often.",
    ),
}

BAD_INPUT, UNDECIDED, MACHINE = 2, 3, 4
# errors of the system whose cause is what was asked for, for example a name that is too long
_ASKED = {errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EINVAL}


class _Commands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the commands' names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command, None if there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        guard.check_memory()
        command = getattr(import_module(f"{__package__}.{module}"), attribute)
        guard.allow_end()
        if not isinstance(command, click.Command):
            raise TypeError(f"{attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands with the first sentence of their help, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="exactdrl")
def cli() -> None:
    """Exact, certified verdicts on the loss landscapes of networks with piecewise linear activations.

    For fixed data and fixed other layers, such a network's loss is piecewise affine in the parameters of one layer. Its
    pieces are called cells. They meet along kinks, where a preactivation (the input of a unit's activation) or a
    residual (output minus target) is 0. A vertex is a point where as many independent kinks meet as there are
    parameters; it is degenerate if more kinks meet there.

    INSTANCE is a file with network, data, loss and start, which `sample` or `import` writes. RUN is the certificate of
    a walk, which `walk` writes. DATA is a table or an instance file. The glossary of the documentation explains all
    other terms.

    Exit codes: 0 done, 1 a claim is false, 2 bad input or usage, 3 stopped or undecided, 4 the machine failed.
    """


def _call(arguments: Sequence[str] | None) -> int:
    code = cli.main(args=None if arguments is None else list(arguments), prog_name="exactdrl", standalone_mode=False)
    return code if isinstance(code, int) else 0


def run(arguments: Sequence[str] | None = None, call: Callable[[Sequence[str] | None], int] = _call) -> int:
    """Runs a command and returns its exit code; an error is said in one line on stderr.

    Args:
        arguments: the command and its arguments; default: the program's own.
        call: what runs the command.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # a file's name need not be text
            stream.reconfigure(errors="backslashreplace")
    temporary_listeners.append(guard.tell_temporary)
    try:
        code = call(arguments)
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - code 1 would say that a claim is false
        code = _explain(error)
    finally:
        temporary_listeners.remove(guard.tell_temporary)
    return code if _flush() else max(code, MACHINE)


def _explain(error: BaseException) -> int:
    """Says in one line what went wrong, and returns the exit code."""
    if _comes_of_interrupt(error):
        _say("interrupted")
        return UNDECIDED
    match error:
        case click.ClickException():
            _say(error.format_message(), usage=error)
            return BAD_INPUT
        case InputError():
            _say(f"error: {error}")
            return BAD_INPUT
        case MachineError():
            _say(f"error: {error}")
        case MemoryError():
            _say("error: there is too little memory")
        case SystemExit():
            # click's own way out of a pipe whose reader went away
            pass
        case OSError():
            # a reader that went away needs no message
            if error.errno != errno.EPIPE:
                _say(f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
            return BAD_INPUT if error.errno in _ASKED else MACHINE
        case _:
            _say("error: exactdrl itself failed; this is a bug, please report it with these lines:")
            _say("".join(traceback.format_exception(error)))
    return MACHINE


def _comes_of_interrupt(error: BaseException) -> bool:
    """Returns whether an error is an interrupt, or was caused by one, as an ImportError in an interrupted import."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, (click.Abort, KeyboardInterrupt)):
            return True
        if isinstance(found, ImportError) and guard.is_interrupted():
            return True
        found = found.__context__
    is_known = isinstance(error, (click.ClickException, InputError, MachineError, MemoryError, OSError, SystemExit))
    return guard.is_interrupted() and not is_known


def _say(text: str, usage: click.ClickException | None = None) -> None:
    """Prints a line on stderr, if there is anybody to read it."""
    try:
        if isinstance(usage, click.UsageError):
            usage.show()
        elif sys.stderr is not None:
            click.echo(text if usage is None else f"Error: {text}", err=True)
    except OSError:
        pass


def _flush() -> bool:
    """Hands what was printed to the system, and returns whether the system took all of it.

    A stream that is closed or full is replaced, since the interpreter would report it once more at its own end.
    """
    is_whole = sys.stdout is not None
    streams: list[TextIO | None] = [sys.stdout, sys.stderr]
    for stream in streams:
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError) as error:
            is_whole = False
            if stream is sys.stdout and getattr(error, "errno", None) != errno.EPIPE:
                _say(f"error: the results could not be printed ({getattr(error, 'strerror', None) or error})")
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 1 if stream is sys.stdout else 2)
    return is_whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits with its code."""
    sys.exit(run(arguments))
