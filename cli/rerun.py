"""`exactdrl rerun`."""

import json
from pathlib import Path

import click

from exactdrl import read_certificate, read_instance, rerun
from exactdrl.front.progress import progress


@click.command("rerun")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def rerun_command(*, instance: Path, run: Path, as_json: bool) -> int:
    """Walk again on INSTANCE in exact arithmetic, and demand the steps of RUN, one by one.

    The rules are those that RUN names. Exit codes: 0 the steps and the outcome are the same, 1 they differ, 2 bad
    input.
    """
    problem = read_instance(instance)
    certificate = read_certificate(run, problem)
    with progress("rerun", total=len(certificate.steps)) as report:
        difference = rerun(problem, certificate, on_step=lambda step: report(step.index))
    is_same = difference is None
    message = f"the same: {len(certificate.steps)} steps and the outcome" if is_same else f"different: {difference}"
    if as_json:
        fields = {"status": "same" if is_same else "different", "message": message, "steps": len(certificate.steps)}
        click.echo(json.dumps(fields))
    else:
        click.echo(message)
    return 0 if is_same else 1
