"""The entry point: `exactdrl COMMAND`.

Exit codes: 0 done, 1 a claim is false, 2 bad input or usage, 3 stopped undecided.
"""

import sys
from collections.abc import Sequence

import click

from exactdrl import InputError, __version__

from .audit import audit_command
from .campaign import campaign_command
from .cells import cells_command
from .embed import embed_command
from .export import export_command
from .global_ import global_command
from .importing import import_command
from .judge import judge_command
from .minimum import minimum_command
from .observe import observe_command
from .plot import plot_command
from .report import report_command
from .rerun import rerun_command
from .sample import sample_command
from .show import show_command
from .snap import snap_command
from .spurious import spurious_command
from .verify import verify_command
from .walk import walk_command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="exactdrl")
def cli() -> None:
    """Exact, certified walks over the vertices of a ReLU network's layer-wise L1 loss."""


for _command in (
    sample_command,
    walk_command,
    verify_command,
    show_command,
    export_command,
    observe_command,
    plot_command,
    minimum_command,
    judge_command,
    snap_command,
    embed_command,
    rerun_command,
    audit_command,
    import_command,
    campaign_command,
    report_command,
    cells_command,
    global_command,
    spurious_command,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits with its code; bad input ends in one line on stderr and code 2."""
    try:
        code = cli.main(
            args=None if arguments is None else list(arguments), prog_name="exactdrl", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = 3
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        code = 2
    except MemoryError:
        click.echo("error: out of memory", err=True)
        code = 2
    sys.exit(code or 0)
