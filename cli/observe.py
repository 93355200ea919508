"""`exactdrl observe`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from exactdrl import InputError, read_certificate, read_instance, to_float
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.engine.pool import available_jobs
from exactdrl.exact.rationals import to_number_text, to_rational
from exactdrl.observations.brackets import Bracket
from exactdrl.observations.claims import refuse_claims_name, write_claims
from exactdrl.observations.observe import LINES, WINDOW, Observations, Progress, check_options, observe
from exactdrl.observations.phases import SPREAD
from exactdrl.observations.series import to_series
from exactdrl.observations.summary import to_summary
from exactdrl.observations.tables import ENDINGS, TABLES, all_tables, refuse_written, table_paths, write_tables
from exactdrl.problem.output import refuse_existing
from exactdrl.report.figures import draw, figure_paths
from exactdrl.report.style import FORMATS, SIZE_HELP, SIZES, Size
from exactdrl.report.words import outcome_words

from .progress import progress

_QUANTITIES = {
    "loss-gap": "loss gap",
    "squared-distance": "squared distance to the last vertex",
    "length-sum": "running mean of step lengths",
}


@contextmanager
def observing(title: str) -> Iterator[Callable[[Progress], None]]:
    """Yields what shows the progress of an observation."""
    with progress(title, unit="step") as report:
        yield lambda state: report(state.done, f"{state.title} of {state.total}")


@click.command("observe")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "claims", type=click.Path(path_type=Path), required=True, help="*.claims or *.claims.gz"
)
@click.option("--window", type=click.IntRange(min=1), default=WINDOW, show_default=True, help="step lengths in a mean")
@click.option(
    "--spread",
    default=str(SPREAD),
    show_default=True,
    help="the decay phase keeps the loss gap within this factor of a geometric sequence",
)
@click.option("--between", type=(int, int), multiple=True, metavar="A B", help="a further window of steps to bracket")
@click.option("--lines", type=click.IntRange(min=0), default=LINES, show_default=True, help="lines of each kind")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="of the lines")
@click.option("--jobs", type=click.IntRange(min=1), help="processes; default: one for each processor")
@click.option("--tables", type=click.Path(path_type=Path), help="a folder for tables of all that was observed")
@click.option("--table-format", type=click.Choice(ENDINGS), default="csv", show_default=True)
@click.option("--figures", type=click.Path(path_type=Path), help="a folder for the figures of `plot`, too")
@click.option("--format", "formats", type=click.Choice(FORMATS), multiple=True, default=("png",), show_default=True)
@click.option("--size", type=click.Choice(SIZES), default="screen", show_default=True, help=SIZE_HELP)
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
    """Observe the walk RUN on INSTANCE: decay, early estimates, densities; write what is certain as claims."""
    refuse_claims_name(claims)
    refuse_existing(claims, force=force)
    problem_instance = read_instance(instance)
    certificate = read_certificate(run, problem_instance)
    try:
        factor = to_rational(spread)
    except InputError as error:
        raise InputError(f"--spread: {error}") from None
    check_options(len(certificate.steps), window=window, spread=factor, between=between, lines=lines)
    planned = table_paths(tables, TABLES, table_format) if tables else []
    refuse_written(planned + (figure_paths(figures, formats) if figures else []), force=force)
    with observing("observe") as report:
        found = observe(
            problem_instance,
            run,
            certificate=certificate,
            window=window,
            spread=factor,
            between=between,
            lines=lines,
            seed=seed,
            jobs=jobs or available_jobs(),
            on_progress=report,
        )
    paths: list[Path] = []
    drawn: list[Path] = []
    if tables or figures:
        series = to_series(IntegerProblem.from_instance(problem_instance), certificate, found.trajectory, window)
        paths = write_tables(tables, all_tables(found, series), ending=table_format, force=force) if tables else []
        # in one folder the figures' tables are some of the tables
        again = force or figures == tables
        drawn = draw(found, series, figures, formats=formats, size=size, force=again) if figures else []
    write_claims(claims, found.instance_digest, found.run_digest, found.claims, force=force)
    if as_json:
        click.echo(
            json.dumps(
                to_summary(found)
                | {
                    "claims_file": str(claims),
                    "tables": [str(path) for path in paths],
                    "figures": [str(path) for path in drawn],
                }
            )
        )
        return
    for line in summary_lines(found):
        click.echo(line)
    click.echo(f"claims       {claims} ({len(found.claims)})")
    if paths:
        click.echo(f"tables       {tables} ({len(paths)})")
    if drawn:
        click.echo(f"figures      {figures} ({len(drawn)} files)")


def summary_lines(found: Observations) -> list[str]:
    """Returns the observations for people: what is certified is said so, what is a float fit too."""
    trajectory = found.trajectory
    first, last = to_float(trajectory.losses[0]), to_float(found.final_loss)
    lines = [
        f"walk         {found.steps} steps; loss {first:.10g} at the first vertex, {last:.10g} at the last",
        f"end          {outcome_words(found.outcome)}",
    ]
    end, spread = found.phases.decay_end, to_float(found.phases.spread)
    if end is None:
        lines.append(
            f"phases       no decay phase: the loss gap is never long within a factor {spread:g} of exponential"
        )
    else:
        share = f"{100 * end / found.steps:.3g} % of the walk"
        lines.append(f"phases       decay in steps 0..{end} ({share}), fine-tuning after it")
        lines.append(
            f"             (the longest start that keeps the loss gap within a factor {spread:g} of exponential)"
        )
    if found.brackets:
        lines.append("decay        certified: low · rate^(k-a) ≤ q_k / q_a ≤ high · rate^(k-a) for all k in a..b")
    lines += [_bracket_line(bracket) for bracket in found.brackets]
    lines.append("estimates    of the final loss from earlier losses; from which step on they stay close, to the end")
    for settled in found.settled:
        name = "the loss itself" if not settled.fraction else f"Aitken, gap {settled.fraction} of the steps so far"
        lines.append(_settled_line(name, to_float(settled.within), settled.step, found.steps))
    for fit in found.settled_fits:
        name = f"least-squares exponential (floats, {fit.checked} steps looked at)"
        lines.append(_settled_line(name, to_float(fit.within), fit.step, found.steps))
    if found.density_rows:
        count = len(found.line_densities) // 2
        lines.append(f"density      kinks on {count} lines through the last vertex and {count} through control points")
        lines.append("             radius       last    control   ratio   vertices of the walk within")
        vertices = found.trajectory_density.counts
        for row, walked in zip(found.density_rows, vertices, strict=True):
            ratio = "-" if row.ratio is None else f"{to_float(row.ratio):.3f}"
            radius = f"{to_float(row.radius):<9g}"
            lines.append(f"             {radius} {row.last:7d}    {row.control:7d}   {ratio:>5}   {walked:7d}")
    return lines


def _bracket_line(bracket: Bracket) -> str:
    spread = "" if bracket.spread is None else f", high/low {to_float(bracket.spread):.4g}"
    life = f"half-life {bracket.half_life:.4g} steps" if bracket.rate < 1 else "no decay"
    numbers = (
        f"rate {to_number_text(bracket.rate)}, low {to_number_text(bracket.low)}, high {to_number_text(bracket.high)}"
    )
    return f"             {_QUANTITIES[bracket.quantity]}, {bracket.begin}..{bracket.end}: {numbers}{spread}; {life}"


def _settled_line(name: str, within: float, step: int | None, steps: int) -> str:
    if step is None:
        return f"             within {100 * within:g} %: not at the last step ({name})"
    return f"             within {100 * within:g} %: from step {step} on, {steps - step} before the end ({name})"
