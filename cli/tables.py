"""The options of every command that takes a table, and the printing of the table's notes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from exactdrl import Table, read_table
from exactdrl.front.options import TextForm

R = TypeVar("R")

_FORM_OPTIONS = (
    click.option(
        "--header/--no-header",
        "has_header",
        default=None,
        help="whether the first row names the columns  [default: detected]",
    ),
    click.option(
        "--delimiter", metavar="SIGN", help="the sign between cells: a character, `tab` or `space`  [default: detected]"
    ),
    click.option("--decimal", type=click.Choice([".", ","]), help="the decimal sign  [default: detected]"),
    click.option(
        "--thousands", metavar="SIGN", help="the sign that groups thousands: , . ' _ or `space`  [default: none]"
    ),
    click.option(
        "--skip-rows",
        type=click.IntRange(min=0),
        default=0,
        metavar="K",
        help="leave out the first K lines",
    ),
    click.option(
        "--encoding", metavar="NAME", help="encoding of the text: utf-8, utf-16, latin-1, ...  [default: detected]"
    ),
)
_COLUMN_OPTIONS = (
    click.option(
        "--target",
        "--targets",
        "targets",
        multiple=True,
        metavar="NAMES",
        help="the target columns: names, or numbers from 1, with commas between  [default: the last column]",
    ),
    click.option(
        "--inputs", multiple=True, metavar="NAMES", help="the input columns, named likewise  [default: all others]"
    ),
    click.option("--exclude", multiple=True, metavar="NAMES", help="columns that are left out"),
    click.option("--weights", metavar="NAME", help="a column of nonnegative weights, one for each sample"),
    click.option(
        "--index/--no-index",
        default=None,
        help="whether the first column only numbers or names the rows  [default: detected]",
    ),
    click.option("--drop-missing", is_flag=True, help="leave out rows with a missing value"),
)


@dataclass(frozen=True, slots=True)
class TableArguments:
    """What the options say about a table.

    An option that is given twice adds columns. A column's name may hold a comma.
    """

    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    exclude: tuple[str, ...]
    weights: str | None
    index: bool | None
    drop_missing: bool
    form: TextForm

    def read(self, source: Path) -> Table:
        """Returns the table in a file, and says on stderr what was decided by a rule.

        Raises:
            InputError: see `read_table`.
        """
        table = read_table(
            source,
            self.targets or None,
            inputs=self.inputs or None,
            exclude=self.exclude or None,
            weights=self.weights,
            index=self.index,
            drop_missing=self.drop_missing,
            has_header=self.form.has_header,
            delimiter=self.form.delimiter,
            decimal=self.form.decimal,
            thousands=self.form.thousands,
            skip_rows=self.form.skip_rows,
            encoding=self.form.encoding,
        )
        say_notes(table.notes)
        return table

    @property
    def has_only_names(self) -> bool:
        """Returns whether nothing but names of inputs and targets were given."""
        return replace(self, targets=(), inputs=()).is_default

    def single(self, what: Literal["inputs", "targets"]) -> str | None:
        """Returns the only name that was given, None where there was none.

        Raises:
            click.UsageError: several were given.
        """
        names = self.inputs if what == "inputs" else self.targets
        if len(names) > 1:
            raise click.UsageError(f"{len(names)} arrays of {what} are named; name one")
        return names[0] if names else None

    @property
    def is_default(self) -> bool:
        """Returns whether no option was given."""
        nothing = TableArguments((), (), (), weights=None, index=None, drop_missing=False, form=TextForm())
        return self == nothing


def say_notes(notes: tuple[str, ...]) -> None:
    """Writes notes to stderr, a line each."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def text_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds the options of a table in text to a command, which gets them as one argument `form`, a `TextForm`."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> R:  # noqa: ANN401 - click passes what the command's options are
        names = ("delimiter", "decimal", "thousands", "has_header", "skip_rows", "encoding")
        form = TextForm(**{name: options.pop(name) for name in names})
        return command(*args, form=form, **options)

    added: Callable[..., R] = wrapped
    for option in reversed(_FORM_OPTIONS):
        added = option(added)
    return added


def table_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds the options of a table to a command, which gets them as one argument `table`, a `TableArguments`."""

    def wrapped(*args: Any, form: TextForm, **options: Any) -> R:  # noqa: ANN401 - see text_options
        names = ("targets", "inputs", "exclude", "weights", "index", "drop_missing")
        table = TableArguments(form=form, **{name: options.pop(name) for name in names})
        return command(*args, table=table, **options)

    added: Callable[..., R] = text_options(wraps(command)(wrapped))
    for option in reversed(_COLUMN_OPTIONS):
        added = option(added)
    return added
