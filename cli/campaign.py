"""`exactdrl campaign`."""

import json
from pathlib import Path

import click

from exactdrl.front.campaigned import AnyCase, campaign, default_config, read_campaign
from exactdrl.front.options import Size
from exactdrl.front.progress import progress

from .figure_options import format_option, size_option

REJECTED, STOPPED = 1, 3


@click.command("campaign")
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    help="a folder for the results; runs that it holds already are not run again",
)
@click.option("--default", "use_default", is_flag=True, help="run the shipped campaign instead of CONFIG")
@click.option("--show-default", "show", is_flag=True, help="print the shipped campaign's CONFIG, and end")
@click.option("--jobs", type=click.IntRange(min=1), help="number of runs at once  [default: one for each processor]")
@click.option("--scheduler", metavar="ADDRESS", help="run on the Dask cluster with this scheduler, tcp://host:8786")
@click.option("--retry-failed", is_flag=True, help="run again what failed")
@format_option("svg")
@size_option
@click.option(
    "--keep-runs", is_flag=True, help="keep instances, certificates and sequences, as keep_runs = true in CONFIG does"
)
@click.option("--verify", is_flag=True, help="check each certificate, as verify = true in CONFIG does")
@click.option("--json", "as_json", is_flag=True, help="print the summary as JSON")
def campaign_command(
    *,
    config: Path | None,
    folder: Path | None,
    use_default: bool,
    show: bool,
    jobs: int | None,
    scheduler: str | None,
    retry_failed: bool,
    formats: tuple[str, ...],
    size: Size,
    keep_runs: bool,
    verify: bool,
    as_json: bool,
) -> int:
    """Run many walks from a small TOML file, tabulate them, and say which published observations hold how often.

    CONFIG lists random problems and pivot rules; `--show-default` prints an example. A run of a table [[cells]] makes
    no walk: it draws data, judges their hidden cells exactly, and counts how many cells have a genuine minimum and how
    many a bad one (see `cells`).

    The same command goes on with a campaign that was killed. No result is lost, and no run is done twice. The table
    does not depend on the number of jobs, the cluster or interruptions. Exit codes: 0 every run has a result or met a
    limit, 1 the checker rejects a certificate, 2 bad input, 3 some runs failed, which are recorded with their reasons.
    """
    if show:
        click.echo(default_config(), nl=False)
        return 0
    if folder is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    if (config is None) != use_default:
        raise click.UsageError("either CONFIG or --default is needed")
    if jobs is not None and scheduler is not None:
        raise click.UsageError("--jobs and --scheduler exclude each other")
    chosen = read_campaign(config, verify=verify, keep_runs=keep_runs)
    with progress("campaign", total=len(chosen.cases), unit="run") as report:

        def on_run(done: int, _total: int, case: AnyCase, status: str) -> None:
            report(done, f"{case.name} {status}")

        found = campaign(
            chosen,
            folder,
            jobs=jobs,
            scheduler=scheduler,
            retry_failed=retry_failed,
            formats=formats,
            size=size,
            on_run=on_run,
        )
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        first, *written = found.lines()
        click.echo(first)
        for name, reason in found.failures:
            click.echo(f"not done     {name}: {reason}", err=True)
        for line in written:
            click.echo(line)
    if found.rejected:
        return REJECTED
    return STOPPED if found.has_failed else 0
