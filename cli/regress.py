"""`exactdrl regress`."""

import json
from pathlib import Path

import click

from exactdrl import InputError, RegressionResult, regress, to_float, to_text
from exactdrl.front.options import TABLES, load_table

from .tables import TableArguments, say_notes, table_options

_LONGEST = 28


@click.command("regress")
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--dataset", type=click.Choice(TABLES), help="a table of statsmodels or scikit-learn, in place of DATA")
@click.option(
    "--tau",
    "levels",
    multiple=True,
    metavar="LEVEL",
    help="level τ of the quantile, between 0 and 1, as 0.25 or 1/4; may be repeated  [default: 1/2]",
)
@click.option(
    "--formula", metavar="TEXT", help='a formula like "foodexp ~ income + C(region)", in place of --target and --inputs'
)
@click.option("--no-intercept", is_flag=True, help="fit without a column of ones")
@click.option("--path", "with_path", is_flag=True, help="print the coefficients for all levels, piece by piece")
@click.option("--exact", is_flag=True, help="print fractions, however long")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="write the certificate, *.drl or *.drl.gz, and its instance beside it",
)
@click.option("--force", is_flag=True, help="write over existing files")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@table_options
def regress_command(
    *,
    data: Path | None,
    dataset: str | None,
    levels: tuple[str, ...],
    formula: str | None,
    no_intercept: bool,
    with_path: bool,
    exact: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
    table: TableArguments,
) -> None:
    """Fit an exact quantile regression to the table DATA: least absolute deviations where no level is named.

    The objective is convex, so that the coefficients are proved to be a global minimum. DATA is a table (CSV, Parquet)
    or an instance file whose last layer is trained. A long fraction is shown by its length; --exact prints it.
    """
    if (data is None) == (dataset is None):
        raise click.UsageError("name a table DATA, or a --dataset")
    source = data if dataset is None else load_table(dataset)
    if output is not None and len(levels) > 1:
        raise InputError("-o writes one certificate; name one level")
    results = [
        regress(
            source,
            table.targets or None,
            tau=level,
            formula=formula,
            intercept=not no_intercept,
            inputs=table.inputs or None,
            exclude=table.exclude or None,
            weights=table.weights,
            index=table.index,
            drop_missing=table.drop_missing,
            form=table.form,
        )
        for level in levels or ("1/2",)
    ]
    say_notes(results[0].notes)
    if output is not None:
        results[0].save(output, force=force)
    if as_json:
        found = [{**result.to_dict(), **(_path_values(result) if with_path else {})} for result in results]
        click.echo(json.dumps(found[0] if len(found) == 1 else found))
        return
    for place, result in enumerate(results):
        if place:
            click.echo()
        click.echo(result.summary(longest=None if exact else _LONGEST))
    if with_path:
        click.echo()
        for line in _path_lines(results[0], exact=exact):
            click.echo(line)
    if output is not None:
        click.echo(f"certificate     {output}")


def _path_values(result: RegressionResult) -> dict[str, object]:
    return {
        "path": [
            {
                "low": to_text(piece.low),
                "high": to_text(piece.high),
                "coefficients": {name: None if v is None else to_text(v) for name, v in piece.coefficients.items()},
            }
            for piece in result.path
        ]
    }


def _path_lines(result: RegressionResult, *, exact: bool) -> list[str]:
    """Returns a line for each piece of the path, below the number of pieces and a line of heads."""
    names = [name for name, value in result.coefficients.items() if value is not None]
    rows = [("from τ", "to τ", *names)]
    for piece in result.path:
        values = [piece.low, piece.high, *(piece.coefficients[name] for name in names)]
        rows.append(tuple("" if v is None else to_text(v) if exact else f"{to_float(v):.8g}" for v in values))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [f"path            {len(result.path)} pieces", *lines]
