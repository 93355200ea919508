"""`exactdrl observe`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from gmpy2 import mpq

from exactdrl import InputError, observe, parse_rational
from exactdrl.front.observed import Outputs, Progress
from exactdrl.front.options import LINES, SPREAD, STREAM, TABLE_ENDINGS, WINDOW, Size
from exactdrl.front.progress import progress

from .figure_options import format_option, size_option

LINES_HELP = "lines through the last vertex on which kinks are counted, and as many through control points"
SEED_HELP = "seed of the random lines"
JOBS_HELP = "number of processes  [default: one for each processor]"


@contextmanager
def observing(title: str) -> Iterator[Callable[[Progress], None]]:
    """Yields what shows the progress of an observation."""
    with progress(title, unit="step") as report:
        yield lambda state: report(state.done, f"{state.title} of {state.total}")


def parse_spread(text: str) -> mpq:
    """Returns what `--spread` says.

    Raises:
        InputError: the text is no number.
    """
    try:
        return parse_rational(text)
    except InputError as error:
        raise InputError(f"--spread: {error}") from None


@click.command("observe")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "claims",
    type=click.Path(path_type=Path),
    required=True,
    help="write the claims to *.claims or *.claims.gz; - is standard output, and the summary goes to stderr",
)
@click.option(
    "--window", type=click.IntRange(min=1), default=WINDOW, show_default=True, help="step lengths in a running mean"
)
@click.option(
    "--spread",
    default=str(SPREAD),
    show_default=True,
    help="the decay phase keeps the loss gap within this factor of a geometric sequence",
)
@click.option(
    "--between",
    type=(int, int),
    multiple=True,
    metavar="A B",
    help="bracket the decay in the steps A to B, too; may be repeated",
)
@click.option("--lines", type=click.IntRange(min=0), default=LINES, show_default=True, help=LINES_HELP)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help=SEED_HELP)
@click.option("--jobs", type=click.IntRange(min=1), help=JOBS_HELP)
@click.option(
    "--tables", type=click.Path(path_type=Path), help="write tables of all that was observed into this folder"
)
@click.option(
    "--table-format", type=click.Choice(TABLE_ENDINGS), default="csv", show_default=True, help="of the tables"
)
@click.option("--figures", type=click.Path(path_type=Path), help="draw the figures of `plot` into this folder, too")
@format_option("png")
@size_option
@click.option("--json", "as_json", is_flag=True, help="print the summary as JSON")
@click.option("--force", is_flag=True, help="write over existing files")
def observe_command(
    *,
    instance: Path,
    run: Path,
    claims: Path,
    window: int,
    spread: str,
    between: tuple[tuple[int, int], ...],
    lines: int,
    seed: int,
    jobs: int | None,
    tables: Path | None,
    table_format: str,
    figures: Path | None,
    formats: tuple[str, ...],
    size: Size,
    as_json: bool,
    force: bool,
) -> None:
    """Observe the walk RUN on INSTANCE: decay, early estimates, densities; write what is certain as claims.

    Decay is how the loss gap (the loss minus the last loss), the distance to the last vertex and the step lengths
    shrink. An early estimate tells the final loss from the losses up to a step. A density is the number of vertices or
    kinks near the last vertex; for comparison kinks near control points are counted, random points of the box that
    holds the walk. `exactdrl verify INSTANCE RUN CLAIMS` checks the claims.
    """
    outputs = Outputs(claims, tables, table_format, figures, formats, size, force)
    with observing("observe") as report:
        found = observe(
            instance,
            run,
            window=window,
            spread=parse_spread(spread),
            between=between,
            lines=lines,
            seed=seed,
            jobs=jobs,
            outputs=outputs,
            on_progress=report,
        )
    paths, drawn = outputs.write(found)
    if as_json:
        written = {"tables": [str(path) for path in paths], "figures": [str(path) for path in drawn]}
        said = [json.dumps(found.to_dict() | {"claims_file": str(claims)} | written)]
    else:
        said = [*found.lines(), f"claims       {claims} ({len(found.claims)})"]
        if paths:
            said.append(f"tables       {tables} ({len(paths)})")
        if drawn:
            said.append(f"figures      {figures} ({len(drawn)} files)")
    for line in said:
        click.echo(line, err=claims == STREAM)
