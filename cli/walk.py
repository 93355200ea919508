"""`exactdrl walk`."""

import json
import time
from pathlib import Path

import click

from exactdrl import Outcome, Walk, read_instance, record_walk
from exactdrl.front.options import ALL_RULES, ARITHMETICS, DEFAULT_BUDGET, STREAM, default_rule
from exactdrl.front.progress import progress
from exactdrl.front.walked import WalkSummary, tell_steps

UNDECIDED = 3


def _run(walk: Walk, path: Path, *, force: bool, resume: bool, has_heartbeat: bool) -> Outcome:
    """Runs the walk to its end, and says what it does meanwhile."""
    with progress("walk", total=walk.max_steps, has_heartbeat=has_heartbeat) as report:
        return record_walk(walk, path, force=force, resume=resume, on_step=tell_steps(walk, report))


@click.command("walk")
@click.argument("instance", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="write the certificate to *.drl or *.drl.gz; - is standard output, and the summary goes to stderr",
)
@click.option(
    "--rule",
    type=click.Choice(ALL_RULES),
    help="pivot rule, which chooses the next edge  "
    "[default: long-step where the last layer is trained, so that the loss is convex; else reference]",
)
@click.option(
    "--start-rule",
    type=click.Choice(["projected-gradient", "coordinate", "line-search"]),
    help="the way from the start to the first vertex  [default: projected-gradient up to 60 parameters, else "
    "coordinate; for the rule long-step, and only for it, line-search]",
)
@click.option(
    "--arithmetic",
    type=click.Choice(ARITHMETICS),
    default="filtered",
    show_default=True,
    help="how decisions are computed: in floats with proved bounds where these are certain, or all exactly; the "
    "certificate is the same, byte for byte",
)
@click.option("--max-steps", type=click.IntRange(min=0), help="stop after this many steps; --resume goes on")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="work that each verdict on a degenerate vertex may take, in nodes of its proof's tree; beyond it the walk "
    "ends undecided",
)
@click.option("--resume", is_flag=True, help="go on with the walk that OUTPUT holds")
@click.option("--force", is_flag=True, help="write over an existing file")
@click.option(
    "--progress",
    "has_heartbeat",
    is_flag=True,
    help="say every ten seconds what is done, also where stderr is no terminal",
)
@click.option("--stats", is_flag=True, help="print how many decisions were made in floats, by balls and exactly")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def walk_command(
    *,
    instance: Path,
    path: Path,
    rule: str | None,
    start_rule: str | None,
    arithmetic: str,
    max_steps: int | None,
    budget: int,
    resume: bool,
    force: bool,
    has_heartbeat: bool,
    stats: bool,
    as_json: bool,
) -> int:
    """Walk from INSTANCE's start to a local minimum, and write the certificate as it goes.

    The trained layer's loss is piecewise affine. The walk first goes to a vertex, where as many independent kinks meet
    as there are parameters, and then along edges from vertex to vertex. The loss never rises. A certificate that breaks
    off is valid so far. Exit codes: 0 the walk ended in a local minimum, or on a ray along which the loss falls
    forever, 2 bad input, 3 stopped or undecided.
    """
    if resume and force:
        raise click.UsageError("--resume and --force exclude each other")
    problem = read_instance(instance)
    walk = Walk(
        problem,
        rule=rule or default_rule(problem, start_rule),
        start_rule=start_rule,
        arithmetic=arithmetic,
        max_steps=max_steps,
        budget=budget,
    )
    began = time.monotonic()
    outcome = _run(walk, path, force=force, resume=resume, has_heartbeat=has_heartbeat)
    seconds = time.monotonic() - began
    found = WalkSummary(walk, outcome)
    if as_json:
        found_fields = found.to_dict() | {"seconds": round(seconds, 3), "certificate": str(path)}
        click.echo(json.dumps(found_fields), err=path == STREAM)
    else:
        for line in found.lines():
            click.echo(f"{line}, in {seconds:.1f} s" if line.startswith("steps ") else line, err=path == STREAM)
        click.echo(f"certificate  {path}", err=path == STREAM)
    if stats:
        for line in found.count_lines():
            click.echo(line, err=as_json or path == STREAM)
    return 0 if found.is_decided else UNDECIDED
