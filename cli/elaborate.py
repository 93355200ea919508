"""`exactdrl elaborate`."""

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from exactdrl import read_certificate, read_instance
from exactdrl.certificate.hints import hint_lines
from exactdrl.minimality.slopes import DEFAULT_NODES
from exactdrl.problem.output import new_file

from .progress import progress


@click.command("elaborate")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "path", default="-", show_default=True, help="*.hints or *.hints.gz; - for the standard output"
)
@click.option(
    "--nodes",
    type=click.IntRange(min=1),
    default=DEFAULT_NODES,
    show_default=True,
    help="linear programs that the proof of the minimum may take",
)
@click.option("--force", is_flag=True, help="write over an existing file")
def elaborate_command(*, instance: Path, run: Path, path: str, nodes: int, force: bool) -> None:
    """Write hints for the proved checker: `proofs/coq/check INSTANCE RUN HINTS` (proofs/coq/README.md).

    Hints are long, since they hold each vertex's coordinates. They can be piped:
    `exactdrl elaborate INSTANCE RUN | proofs/coq/check INSTANCE RUN -`.
    """
    problem = read_instance(instance)
    certificate = read_certificate(run, problem)
    with progress("elaborate", total=len(certificate.steps)) as report:

        def write_to(stream: TextIO, on_step: Callable[[int], None]) -> None:
            stream.writelines(f"{line}\n" for line in hint_lines(problem, certificate, nodes=nodes, on_step=on_step))

        if path == "-":
            write_to(sys.stdout, report)
            return
        with (
            new_file(Path(path), force=force) as partial,
            gzip.open(partial, "wt") if path.endswith(".gz") else partial.open("w", encoding="ascii") as stream,
        ):
            write_to(stream, report)
