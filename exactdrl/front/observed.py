"""All observations of a recorded walk in one call: decay, early estimates, densities, and the claims about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate
from exactdrl.engine.pool import available_jobs
from exactdrl.exact.rationals import to_rational
from exactdrl.front.frames import to_frame
from exactdrl.front.problems import Problem, to_instance
from exactdrl.front.recorded import Run, to_certificate
from exactdrl.front.result import Result
from exactdrl.observations.claims import Claim, refuse_claims_name, write_claims
from exactdrl.observations.observe import LINES, WINDOW, Observations, Progress, check_options
from exactdrl.observations.observe import observe as observe_run
from exactdrl.observations.phases import SPREAD
from exactdrl.observations.series import Series, to_series
from exactdrl.observations.summary import to_summary
from exactdrl.observations.tables import TABLES, all_tables, refuse_written, table_paths, walk_table, write_tables
from exactdrl.problem.instance import Instance
from exactdrl.problem.output import refuse_existing
from exactdrl.report.observation_words import observation_lines
from exactdrl.report.style import Size
from exactdrl.report.words import outcome_name, outcome_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


__all__ = ["ObserveResult", "Outputs", "Progress", "observe"]


# without slots, so that the series is kept
@dataclass(frozen=True, repr=False)
class ObserveResult(Result):
    """What was observed on a walk. Numbers are exact `gmpy2.mpq` unless their name says otherwise.

    Attributes:
        instance: the problem.
        certificate: the walk's certificate.
        observations: losses, distances, lengths, phases, brackets, estimates and densities.
    """

    instance: Instance
    certificate: Certificate
    observations: Observations

    @property
    def status(self) -> str:
        """Returns the name of the walk's outcome."""
        return outcome_name(self.observations.outcome)

    @property
    def message(self) -> str:
        """Returns the walk in a sentence."""
        return f"{self.observations.steps} steps, {outcome_words(self.observations.outcome)}"

    @property
    def steps(self) -> int:
        """Returns how many steps the walk has."""
        return self.observations.steps

    @property
    def losses(self) -> tuple[mpq, ...]:
        """Returns the loss at each vertex."""
        return tuple(self.observations.trajectory.losses)

    @property
    def final_loss(self) -> mpq:
        """Returns the loss at the last vertex."""
        return self.observations.final_loss

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Returns what is certain, as claims that the checker checks."""
        return tuple(self.observations.claims)

    @cached_property
    def series(self) -> Series:
        """Returns the walk's points as floats, the start and phase 1 included."""
        problem = IntegerProblem.from_instance(self.instance)
        found = self.observations
        return to_series(problem, self.certificate, found.trajectory, found.window)

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl observe` prints it."""
        return observation_lines(self.observations)

    def to_dict(self) -> dict[str, object]:
        """Returns the result for JSON, as `exactdrl observe --json` prints it."""
        return to_summary(self.observations)

    def to_pandas(self) -> "DataFrame":
        """Returns a data frame with a row for each point of the walk, in floats: the table `walk` of `save_tables`.

        Raises:
            InputError: pandas is not installed.
        """
        return to_frame(walk_table(self.series).columns)

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Writes the claims, `*.claims` or `*.claims.gz`; `exactdrl.verify(instance, run, claims)` checks them.

        Raises:
            InputError: the path has another ending, the file exists and `force` is not set, or it cannot be written.
        """
        found = self.observations
        write_claims(Path(path), found.instance_digest, found.run_digest, found.claims, force=force)

    def save_tables(self, folder: Path | str, *, ending: str = "csv", force: bool = False) -> list[Path]:
        """Writes tables of all that was observed into a folder, and returns their paths.

        Raises:
            InputError: the ending is neither `csv` nor `parquet`, a file exists and `force` is not set, or it cannot be
                written.
        """
        return write_tables(Path(folder), all_tables(self.observations, self.series), ending=ending, force=force)

    def save_figures(
        self,
        folder: Path | str,
        *,
        formats: Sequence[str] = ("png",),
        size: Size = "screen",
        force: bool = False,
    ) -> list[Path]:
        """Draws loss, step lengths, distances and densities into a folder, with the data, and returns the paths.

        Raises:
            InputError: a format is unknown, a file exists and `force` is not set, or the folder cannot be written.
        """
        from exactdrl.report.figures import draw  # noqa: PLC0415 - matplotlib takes a second to import

        return draw(self.observations, self.series, Path(folder), formats=formats, size=size, force=force)

    def plot(self, *, size: Size = "screen") -> "Figure":
        """Returns a Matplotlib figure of the loss gap, the running mean of lengths, and the distance to the end."""
        from exactdrl.report.figures import figure_of_walk  # noqa: PLC0415 - matplotlib takes a second to import

        return figure_of_walk(self.observations, self.series, size=size)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files into which a command writes observations, known before the work is done.

    Attributes:
        claims: the file of claims; None for none.
        tables: the folder for tables; None for none.
        table_format: the format of the tables, `csv` or `parquet`.
        figures: the folder for figures and the tables behind them; None for none.
        formats: the formats of the figures.
        size: the size of the figures, for a screen or for print.
        force: whether existing files are written over.
    """

    claims: Path | None = None
    tables: Path | None = None
    table_format: str = "csv"
    figures: Path | None = None
    formats: tuple[str, ...] = ("png",)
    size: Size = "screen"
    force: bool = False

    def refuse_existing(self) -> None:
        """Refuses files that exist, before anything is computed for them, and makes their folders.

        Raises:
            InputError: a file exists and `force` is not set, a name has another ending, or a folder cannot be made.
        """
        if self.claims is not None:
            refuse_claims_name(self.claims)
            refuse_existing(self.claims, force=self.force)
        planned = [] if self.tables is None else table_paths(self.tables, TABLES, self.table_format)
        if self.figures is not None:
            from exactdrl.report.figures import figure_paths  # noqa: PLC0415 - matplotlib takes a second to import

            planned += figure_paths(self.figures, self.formats)
        refuse_written(planned, force=self.force)

    def write(self, found: ObserveResult) -> tuple[list[Path], list[Path]]:
        """Writes what was asked for, and returns the paths of tables and of figures."""
        tables: list[Path] = []
        figures: list[Path] = []
        if self.tables is not None:
            tables = found.save_tables(self.tables, ending=self.table_format, force=self.force)
        if self.figures is not None:
            # in one folder the figures' tables are among the tables that were just written
            again = self.force or self.figures == self.tables
            figures = found.save_figures(self.figures, formats=self.formats, size=self.size, force=again)
        if self.claims is not None:
            found.save(self.claims, force=self.force)
        return tables, figures


def observe(
    problem: Problem,
    run: Run,
    *,
    window: int = WINDOW,
    spread: object = SPREAD,
    between: Sequence[tuple[int, int]] = (),
    lines: int = LINES,
    seed: int = 0,
    jobs: int | None = None,
    outputs: Outputs | None = None,
    progress: bool | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> ObserveResult:
    """Observes a recorded walk: its decay, early estimates of its final loss, densities of vertices and kinks.

    The result is the same for any number of processes. The certificate is trusted here; `exactdrl.verify` checks it.

    Args:
        problem: an instance, or the path of its file.
        run: the walk's result, its certificate, which has to be whole, or the path of its file.
        window: how many step lengths a running mean takes.
        spread: an exact number above 1. The decay phase is a start of the walk on which the loss gap, the loss minus
            the last loss, stays within this factor of a geometric sequence.
        between: windows (a, b) of steps in which the decay is bracketed, too, 0 ≤ a < b ≤ S.
        lines: on how many random lines through the last vertex kinks are counted, and on as many through random control
            points of the box that holds the walk.
        seed: the seed of the lines.
        jobs: how many processes; default: one for each processor.
        outputs: files that are refused at once where they exist. The caller writes them by `Outputs.write`.
        progress: whether the progress of the work is shown; default: in a notebook only.
        on_progress: is called now and then.

    Raises:
        InputError: a file cannot be read or does not fit, an output exists, or an argument is out of range.

    Source: proofs/CLAIMS.md.
    """
    instance = to_instance(problem)
    certificate = to_certificate(run, instance)
    factor = to_rational(spread)
    check_options(len(certificate.steps), window=window, spread=factor, between=between, lines=lines)
    if outputs is not None:
        outputs.refuse_existing()
    from exactdrl.front.progress import progress as reporting  # noqa: PLC0415 - rich takes a while to import

    with reporting("observe", has_heartbeat=True, is_shown=progress) as report:

        def follow(state: Progress) -> None:
            report(state.done, f"{state.title} of {state.total}")
            if on_progress is not None:
                on_progress(state)

        found = observe_run(
            instance,
            certificate,
            window=window,
            spread=factor,
            between=between,
            lines=lines,
            seed=seed,
            jobs=jobs or available_jobs(),
            on_progress=follow,
        )
    return ObserveResult(instance, certificate, found)
