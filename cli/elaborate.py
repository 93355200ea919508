"""`exactdrl elaborate`."""

from pathlib import Path

import click

from exactdrl import read_certificate, read_instance
from exactdrl.front.exported import elaborate
from exactdrl.front.options import DEFAULT_NODES
from exactdrl.front.progress import progress


@click.command("elaborate")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "path",
    default="-",
    show_default=True,
    help="write to *.hints or *.hints.gz, or - for standard output",
)
@click.option(
    "--nodes",
    type=click.IntRange(min=1),
    default=DEFAULT_NODES,
    show_default=True,
    help="the most linear programs that the proof of the minimum may take",
)
@click.option("--force", is_flag=True, help="write over an existing file")
def elaborate_command(*, instance: Path, run: Path, path: str, nodes: int, force: bool) -> None:
    """Write hints for the proved checker: `proofs/coq/check INSTANCE RUN HINTS` (proofs/coq/README.md).

    The proved checker is a program whose correctness is proved in Coq. Its hints hold each vertex's coordinates, so
    that they are long. They can be piped: `exactdrl elaborate INSTANCE RUN | proofs/coq/check INSTANCE RUN -`.
    """
    problem = read_instance(instance)
    certificate = read_certificate(run, problem)
    with progress("elaborate", total=len(certificate.steps)) as report:
        elaborate(problem, certificate, path, nodes=nodes, force=force, on_step=report)
