"""Judges a hidden cell: is the relaxation's minimum attained inside it, and with which signs of the outer weights?

For each sign choice the answer is a V that shows it feasible, or Farkas multipliers that show that it is not. The
format page proofs/CELLS.md says what they prove. For the absolute loss a hidden cell may have more local minima, with
an outer weight 0, that are no minima of the relaxation. Nothing is said of these here.

Source: Liu, arXiv:2002.04763 and 2006.09192; the case v_i = 0 and dead units are exactdrl's own
(proofs/cells-judge.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from gmpy2 import mpq, mpz

from exactdrl.exact.linear import independent_rows, to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.hidden_cells.farkas import Farkas
from exactdrl.hidden_cells.relaxation import Relaxation, relax, to_scaled_rows
from exactdrl.hidden_cells.setting import Network, Setting
from exactdrl.hidden_cells.unique import decide_unique

_ZERO, _ONE = mpq(0), mpq(1)
_SIDES = {"+": 1, "-": -1}


@dataclass(frozen=True, slots=True)
class Choice:
    """A feasible sign choice.

    Attributes:
        signs: for each unit +, - or 0, the sign of its outer weight, or * for a dead unit.
        variables: V with these signs.
        dimension: of the set of minima with these signs, in all parameters.
    """

    signs: str
    variables: tuple[mpq, ...]
    dimension: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a hidden cell.

    Attributes:
        patterns: of its units.
        relaxation: the minimum over all V.
        feasible: the sign choices with a minimum inside the cell; the minimum is genuine if there are any.
        infeasible: the others, each with its reason.
        valleys: the connected components of the set of minima, as sets of positions in `feasible`.
        classes: the same up to exchanging units with equal patterns.
    """

    patterns: tuple[str, ...]
    relaxation: Relaxation
    feasible: tuple[Choice, ...]
    infeasible: tuple[tuple[str, Farkas], ...]
    valleys: tuple[frozenset[int], ...]
    classes: tuple[frozenset[int], ...]

    @property
    def is_genuine(self) -> bool:
        """Returns whether the relaxation's minimum is attained inside the cell."""
        return bool(self.feasible)

    @property
    def dimension(self) -> int | None:
        """Returns the dimension of the set of minima, None if there are none."""
        return max((choice.dimension for choice in self.feasible), default=None)


class _SignPrograms:
    """One linear program for all sign choices of a hidden cell: bounds change, the basis stays.

    Its variables are V and τ ≥ 1, by which V is divided in the end: conditions with > 0 become ≥ 1.
    """

    def __init__(self, setting: Setting, patterns: Sequence[str], relaxation: Relaxation) -> None:
        self.setting, self.patterns, self.relaxation = setting, patterns, relaxation
        samples = setting.samples
        self.dimension, self.units = samples.dimension, len(patterns)
        self.width = len(relaxation.variables)
        rows: list[list[mpz]] = []
        first: dict[int, int] = {}
        for sample, spot in enumerate(samples.places):
            if spot is not None:
                first.setdefault(spot[0], sample)
        self.seen = list(first.values())
        # σ x̃_k · v_i for each unit and one sample of each hyperplane
        for unit, pattern in enumerate(patterns):
            for sample in self.seen:
                side = 1 if pattern[sample] == "1" else -1
                row = [mpz(0)] * (self.width + 1)
                start = unit * self.dimension
                row[start : start + self.dimension] = [side * entry for entry in samples.rows[sample]]
                rows.append(row)
        self.fit_samples, self.fit_factors = self._fits(rows)
        self.program = BoundedForms(rows, self.width + 1)
        self.program.set_bounds(self.width, _ONE, None)
        for place, sample in enumerate(self.fit_samples):
            form = self.width + 1 + self.units * len(self.seen) + place
            if relaxation.is_tied[sample]:
                self.program.set_bounds(form, _ZERO, _ZERO)
            elif relaxation.dual[sample] > 0:
                self.program.set_bounds(form, _ZERO, None)
            else:
                self.program.set_bounds(form, None, _ZERO)

    def _fits(self, rows: list[list[mpz]]) -> tuple[list[int], list[mpz]]:
        """Appends the rows of f(x_k) - t_k τ; of tied samples only as many as are independent."""
        relaxation, targets = self.relaxation, self.setting.targets
        goals = [
            y + r if self.setting.loss == "squared" else y for y, r in zip(targets, relaxation.residuals, strict=True)
        ]
        scaled, factors = to_scaled_rows([[*row, -goal] for row, goal in zip(relaxation.matrix, goals, strict=True)])
        tied = [sample for sample in range(len(targets)) if relaxation.is_tied[sample]]
        chosen = [tied[place] for place in independent_rows([scaled[sample] for sample in tied], self.width + 1)]
        chosen += [sample for sample in range(len(targets)) if not relaxation.is_tied[sample]]
        rows.extend(scaled[sample] for sample in chosen)
        return chosen, [factors[sample] for sample in chosen]

    def set_sign(self, unit: int, sign: str) -> None:
        """Demands a sign of a unit's outer weight; `.` leaves it open, 0 and * make the unit's variables 0."""
        for place in range(len(self.seen)):
            form = self.width + 1 + unit * len(self.seen) + place
            low = _ONE if sign == "+" else None
            high = -_ONE if sign == "-" else None
            self.program.set_bounds(form, low, high)
        bound = _ZERO if sign in {"0", "*"} else None
        for variable in range(unit * self.dimension, (unit + 1) * self.dimension):
            self.program.set_bounds(variable, bound, bound)

    def solve(self) -> tuple[mpq, ...] | Farkas:
        """Returns a V with the demanded signs, or why there is none."""
        found = self.program.solve()
        if isinstance(found, Conflict):
            return self._farkas(found)
        scale = found[self.width]
        return tuple(value / scale for value in found[: self.width])

    def _farkas(self, conflict: Conflict) -> Farkas:
        count, size = len(self.setting.targets), len(self.seen)
        cones = []
        for unit in range(self.units):
            row = [_ZERO] * count
            for place, sample in enumerate(self.seen):
                row[sample] = abs(conflict.multipliers[unit * size + place]) * mpq(self.setting.samples.scales[sample])
            cones.append(tuple(row))
        fits = [_ZERO] * count
        for place, sample in enumerate(self.fit_samples):
            fits[sample] = mpq(conflict.multipliers[self.units * size + place] * self.fit_factors[place])
        return Farkas(tuple(cones), tuple(fits))

    def can_leave(self, place: int) -> bool:
        """Returns whether, with the signs that are set, a fit of the absolute loss that may be unequal can be so."""
        form = self.width + 1 + self.units * len(self.seen) + place
        low, high = self.program.bounds(form)
        self.program.set_bounds(form, None if low is None else _ONE, None if high is None else -_ONE)
        found = self.program.solve()
        self.program.set_bounds(form, low, high)
        return not isinstance(found, Conflict)


def judge_cell(setting: Setting, patterns: Sequence[str]) -> Judged:
    """Returns what minima a hidden cell has. Exact.

    Args:
        setting: of the problem.
        patterns: K patterns, each of a cell of one unit.
    """
    relaxation = relax(setting, patterns)
    found = decide_unique(setting, patterns, relaxation)
    programs = None if found is not None else _SignPrograms(setting, patterns, relaxation)
    if programs is not None:
        found = dict(_decide(setting, patterns, programs))
    answers = found or {}
    feasible = [
        Choice(signs, answer, _dimension(setting, relaxation, signs, programs))
        for signs, answer in answers.items()
        if not isinstance(answer, Farkas)
    ]
    infeasible = tuple((signs, answer) for signs, answer in answers.items() if isinstance(answer, Farkas))
    names = [choice.signs for choice in feasible]
    links = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b and _is_limit(names[a], names[b])]
    swaps = [
        (names.index(signs), names.index(other))
        for signs in names
        for other in _rearranged(patterns, signs)
        if other in names
    ]
    return Judged(
        tuple(patterns),
        relaxation,
        tuple(feasible),
        infeasible,
        _components(len(names), links),
        _components(len(names), links + swaps),
    )


def _decide(
    setting: Setting, patterns: Sequence[str], programs: _SignPrograms
) -> Iterator[tuple[str, tuple[mpq, ...] | Farkas]]:
    """Yields every sign choice with its answer, +, - and 0 in this order; one reason may serve many choices."""
    kinds = ["*" if setting.is_dead(pattern) else "+-0" for pattern in patterns]

    def descend(signs: str) -> Iterator[tuple[str, tuple[mpq, ...] | Farkas]]:
        answer = programs.solve()
        unit = len(signs)
        if unit == len(kinds):
            yield signs, answer
        elif isinstance(answer, Farkas):
            for rest in _words(kinds[unit:]):
                yield signs + rest, answer
        else:
            for sign in kinds[unit]:
                programs.set_sign(unit, sign)
                yield from descend(signs + sign)
            programs.set_sign(unit, ".")

    return descend("")


def _words(kinds: Sequence[str]) -> Iterator[str]:
    if not kinds:
        yield ""
        return
    for sign in kinds[0]:
        for rest in _words(kinds[1:]):
            yield sign + rest


def _dimension(setting: Setting, relaxation: Relaxation, signs: str, programs: _SignPrograms | None) -> int:
    """Returns the dimension of the minima with these signs: of V, a scale for each live unit, w of units without V.

    Args:
        setting: of the problem.
        relaxation: of the hidden cell.
        signs: a feasible choice.
        programs: of the hidden cell; None where V is unique.
    """
    size = setting.samples.dimension
    free = [
        column
        for column in range(len(relaxation.variables))
        if column >= size * len(signs) or signs[column // size] in _SIDES
    ]
    equal = [sample for sample in range(len(setting.targets)) if relaxation.is_tied[sample]]
    if programs is not None and setting.loss == "absolute" and "0" in signs:
        for unit, sign in enumerate(signs):
            programs.set_sign(unit, sign)
        for place, sample in enumerate(programs.fit_samples):
            if not relaxation.is_tied[sample] and not programs.can_leave(place):
                equal.append(sample)
        for unit in range(len(signs)):
            programs.set_sign(unit, ".")
    rows = [to_integers([relaxation.matrix[sample][column] for column in free])[0] for sample in equal]
    live = sum(sign in _SIDES for sign in signs)
    still = sum(size + (sign == "*") for sign in signs if sign not in _SIDES)
    return len(free) - len(independent_rows(rows, len(free))) + live + still


def _is_limit(signs: str, other: str) -> bool:
    """Returns whether a sign choice is another with some entries made 0."""
    return all(a in (b, "0") for a, b in zip(signs, other, strict=True))


def _rearranged(patterns: Sequence[str], signs: str) -> Iterator[str]:
    """Yields the sign choices that permutations of units with equal patterns make of one."""
    groups: dict[str, list[int]] = {}
    for unit, pattern in enumerate(patterns):
        groups.setdefault(pattern, []).append(unit)

    def spread(rest: list[list[int]], made: dict[int, str]) -> Iterator[str]:
        if not rest:
            yield "".join(made[unit] for unit in range(len(signs)))
            return
        for order in set(permutations(signs[unit] for unit in rest[0])):
            yield from spread(rest[1:], made | dict(zip(rest[0], order, strict=True)))

    return spread(list(groups.values()), {})


def _components(count: int, links: Sequence[tuple[int, int]]) -> tuple[frozenset[int], ...]:
    """Returns the connected components of a graph."""
    label = list(range(count))
    for a, b in links:
        low, high = sorted((label[a], label[b]))
        label = [low if entry == high else entry for entry in label]
    return tuple(frozenset(k for k in range(count) if label[k] == name) for name in sorted(set(label)))


def to_network(setting: Setting, choice: Choice, interiors: Sequence[Sequence[mpq]]) -> Network:
    """Returns a network at a minimum: outer weights 1, -1, and 0 for units without V.

    Args:
        setting: of the problem.
        choice: a feasible sign choice.
        interiors: a point of each unit's cell.
    """
    dimension = setting.samples.dimension
    units, outer = [], []
    for unit, sign in enumerate(choice.signs):
        side = _SIDES.get(sign, 0)
        v = choice.variables[unit * dimension : (unit + 1) * dimension]
        units.append(tuple(side * entry for entry in v) if side else tuple(interiors[unit]))
        outer.append(mpq(side))
    constant = choice.variables[-1] if setting.has_output_bias else _ZERO
    return Network(tuple(units), tuple(outer), constant)
