"""All observations of a recorded walk in one call: decay, estimates, density, and the claims about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate, read_certificate
from exactdrl.engine.pool import map_items
from exactdrl.exact.rationals import InputError, to_rational
from exactdrl.observations.brackets import Bracket, bracket_sums, bracket_values
from exactdrl.observations.claims import Claim, EstimateClaim, LineClaim, LossClaim, enclose_number
from exactdrl.observations.density import (
    DensityRow,
    Line,
    LineDensity,
    TrajectoryDensity,
    choose_radii,
    compare_densities,
    count_breakpoints,
    count_vertices,
    draw_lines,
)
from exactdrl.observations.estimates import (
    FRACTIONS,
    WITHIN,
    EstimateRow,
    Settled,
    SettledFit,
    find_settled,
    find_settled_fit,
    tabulate_estimates,
)
from exactdrl.observations.float_lines import FloatProblem
from exactdrl.observations.lengths import LengthSums, sum_lengths
from exactdrl.observations.phases import SPREAD, Phases, split_phases
from exactdrl.problem.file import read_instance
from exactdrl.problem.instance import Instance, Matrix
from exactdrl.series.parallel import STEPS_A_SEGMENT, common_problem
from exactdrl.series.trajectory import Trajectory, follow_trajectory
from exactdrl.walks.driver import Outcome

WINDOW = 40
LINES = 10
_BITS = 64
_MAX_BITS = 4096
_LOSS_DIGITS = 10
_ERROR_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Observations:
    """What was observed on a walk. Numbers are exact unless an attribute says floats.

    Attributes:
        instance_digest: the SHA-256 of the instance's file.
        run_digest: the SHA-256 of the certificate's bytes, decompressed.
        outcome: how the walk ended.
        trajectory: the sequences of losses, step lengths and distances.
        window: how many step lengths a running mean takes.
        length_sums: the sums of `window` consecutive step lengths.
        phases: the decay phase and the fine-tuning after it, by the rule of the module `phases`.
        brackets: the brackets of the decay phase (loss gap, squared distance, length sum), then those of the windows
            that were asked for.
        estimates: the estimates of the final loss after each twentieth of the walk.
        settled: the steps from which on Aitken's estimates stay close to the final loss.
        settled_fits: the same for the fitted limit, in floats.
        trajectory_density: the numbers of vertices around the last vertex.
        line_densities: the numbers of breakpoints along lines, through the last vertex and a control point in turn.
        density_rows: the sums over all lines, by radius.
    """

    instance_digest: str
    run_digest: str
    outcome: Outcome
    trajectory: Trajectory
    window: int
    length_sums: LengthSums
    phases: Phases
    brackets: tuple[Bracket, ...]
    estimates: tuple[EstimateRow, ...]
    settled: tuple[Settled, ...]
    settled_fits: tuple[SettledFit, ...]
    trajectory_density: TrajectoryDensity
    line_densities: tuple[LineDensity, ...]
    density_rows: tuple[DensityRow, ...]

    @property
    def steps(self) -> int:
        """Returns the number S of steps."""
        return self.trajectory.steps

    @property
    def final_loss(self) -> mpq:
        """Returns the loss L_S at the last vertex."""
        return self.trajectory.losses[-1]

    def bracket(self, quantity: str) -> Bracket | None:
        """Returns the decay phase's bracket of a quantity; None where there is none."""
        end = self.phases.decay_end
        return next(
            (b for b in self.brackets if b.quantity == quantity and b.end == end and b.begin <= self.window), None
        )

    @property
    def density_ratios(self) -> tuple[tuple[mpq, mpq | None], ...]:
        """Returns, for each radius, the ratio of kinks near the last vertex to kinks near control points."""
        return tuple((row.radius, row.ratio) for row in self.density_rows)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Returns all that is claimed, in the order of the file."""
        losses, last = self.trajectory.losses, self.steps
        claims: list[Claim] = [
            LossClaim(step, *enclose_number(losses.number(step), _LOSS_DIGITS)) for step in sorted({0, last})
        ]
        claims += self.brackets
        for settled in self.settled:
            if settled.step is not None:
                bound = settled.within
                claims.append(EstimateClaim(settled.fraction, settled.step, last, -bound, bound))
        for row in self.estimates:
            for found in row.estimates:
                if found.error is not None:
                    low, high = enclose_number(found.error, _ERROR_DIGITS)
                    claims.append(EstimateClaim(found.fraction, found.step, found.step, low, high))
        claims.append(self.trajectory_density)
        claims += [LineClaim(last if d.line.place == "last" else None, d) for d in self.line_densities]
        return tuple(dict.fromkeys(claims))  # on short walks several shares have the same step


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an observation is: done of total pieces of the work that `title` names."""

    title: str
    done: int
    total: int


def observe(
    instance: Instance | Path | str,
    run: Certificate | Path | str,
    *,
    window: int = WINDOW,
    spread: object = SPREAD,
    between: Sequence[tuple[int, int]] = (),
    lines: int = LINES,
    seed: int = 0,
    jobs: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
) -> Observations:
    """Returns all observations of a recorded walk, which are the same for any number of processes.

    The certificate is trusted here; `exactdrl.verify` checks it.

    Args:
        instance: the problem, or the path of its file.
        run: the certificate, which has to be whole, or the path of its file.
        window: how many step lengths a running mean takes.
        spread: an exact number above 1, the factor of the rule in the module `phases`.
        between: windows (a, b) of steps for further brackets, 0 ≤ a < b ≤ S.
        lines: how many lines through the last vertex are drawn, and as many through control points.
        seed: the seed of the lines.
        jobs: how many processes.
        on_progress: is called now and then.

    Raises:
        InputError: a file cannot be read or does not fit, or an argument is out of range.
    """
    if not isinstance(instance, Instance):
        instance = read_instance(instance)
    certificate = run if isinstance(run, Certificate) else read_certificate(run, instance)
    factor = to_rational(spread)
    check_options(len(certificate.steps), window=window, spread=factor, between=between, lines=lines)
    if certificate.outcome is None:
        raise InputError("the certificate breaks off before its outcome; `exactdrl walk --resume` goes on with it")
    problem = IntegerProblem.from_instance(instance)
    report = on_progress or _ignore

    def on_step(done: int) -> None:
        report(Progress("vertices", done, len(certificate.steps)))

    trajectory = follow_trajectory(problem, certificate, jobs=jobs, on_step=on_step)
    gaps = trajectory.gaps
    phases = split_phases(gaps, factor)
    windows = [*([(0, phases.decay_end)] if phases.decay_end is not None else []), *between]
    sums = sum_lengths(trajectory.squared_steps, window, _BITS)
    brackets = [b for begin, end in windows for b in find_brackets(trajectory, gaps, sums, begin, end)]
    floats = trajectory.losses.floats()
    settled = [find_settled(trajectory.losses, f, within) for f in FRACTIONS for within in WITHIN]
    drawn = draw_lines(problem, trajectory, lines, seed) if problem.dimension else []
    radii = choose_radii(trajectory.squared_distances)
    densities = []
    # processes take a second to start, and the lines of short walks take less
    jobs = jobs if len(certificate.steps) > STEPS_A_SEGMENT else 1
    count = partial(_count, trajectory.last, radii, FloatProblem.of(problem))
    for density in map_items(common_problem(problem), drawn, count, jobs=jobs):
        densities.append(density)
        report(Progress("lines", len(densities), len(drawn)))
    return Observations(
        instance.digest,
        certificate.digest,
        certificate.outcome,
        trajectory,
        window,
        sums,
        phases,
        tuple(brackets),
        tabulate_estimates(trajectory.losses, floats),
        tuple(settled),
        tuple(find_settled_fit(floats, within) for within in WITHIN),
        count_vertices(trajectory.squared_distances, radii),
        tuple(densities),
        compare_densities(densities),
    )


def _ignore(progress: Progress) -> None:
    del progress


def _count(
    last: Matrix, radii: Sequence[mpq], floats: FloatProblem | None, problem: IntegerProblem, line: Line
) -> LineDensity:
    return count_breakpoints(problem, last, line, radii, floats)


def check_options(steps: int, *, window: int, spread: mpq, between: Sequence[tuple[int, int]], lines: int) -> None:
    """Refuses arguments of `observe` that are out of range.

    Raises:
        InputError: the message names the argument and the value.
    """
    if window < 1:
        raise InputError(f"window is {window}; at least 1 is needed")
    if spread <= 1:
        raise InputError(f"spread is {spread}; it must be above 1")
    if lines < 0:
        raise InputError(f"lines is {lines}; it must not be negative")
    for begin, end in between:
        if not 0 <= begin < end <= steps:
            raise InputError(f"window of steps is {begin}..{end}; 0 ≤ a < b ≤ {steps} is needed")


def find_brackets(trajectory: Trajectory, gaps: Sequence[mpq], sums: LengthSums, begin: int, end: int) -> list[Bracket]:
    """Returns the brackets over begin..end of the loss gap, the squared distance and the length sums, where they exist.

    Length sums begin with the first full window. Sums whose enclosures are too coarse for the digits of a bracket are
    computed again with more bits.
    """
    found = [
        bracket_values("loss-gap", gaps, begin, end),
        bracket_values("squared-distance", trajectory.squared_distances, begin, end),
    ]
    first = max(begin, sums.window)
    if first < end:
        while sums.bits < _MAX_BITS and _is_coarse(sums, first, end):
            sums = sum_lengths(trajectory.squared_steps, sums.window, 2 * sums.bits)
        found.append(bracket_sums(sums, first, end))
    return [bracket for bracket in found if bracket is not None]


def _is_coarse(sums: LengthSums, begin: int, end: int) -> bool:
    """Returns whether a sum in begin..end is known to less than 8 digits, which are twice those of a bracket."""
    part = slice(begin - sums.window, end + 1 - sums.window)
    return any(low < 10**8 * (high - low) for low, high in zip(sums.low[part], sums.high[part], strict=True))
