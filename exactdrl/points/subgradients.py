"""Looks for subgradients e with which the first-order test holds, for one hidden layer and losses with two slopes.

Where a residual is 0 the loss has a kink, and e may be any number between its slopes there. If some choice satisfies
S1, S2 and NE, the point is a local minimum in all parameters. S1 is linear in e; S2 and NE say of each direction v of a
unit that a linear function of e is nonnegative, or zero. So e is looked for by exact linear programs, each with the
conditions of the directions that refuted the choices before it. Source: proofs/all-parameters.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.cells.local_form import LocalForm
from exactdrl.exact.linear import to_integers
from exactdrl.exact.program import BoundedForms, Conflict
from exactdrl.minimality.tree.witness import TreeWitness
from exactdrl.points.decision import Negative, Nonnegative, decide_form
from exactdrl.points.form import find_duals
from exactdrl.points.setting import Matrix, Pass, Setting, Theta, Vector
from exactdrl.points.units import Escapes, Falls, Margin, UnitMap, Unknown, judge_unit, map_unit

_ZERO = mpq(0)
# linear programs: with 190 open entries and 30 conditions the first takes seconds, and each round adds a condition
_ROUNDS, _LEAST, _EACH = 200, 4, mpq(3, 8)


@dataclass(frozen=True, slots=True)
class Subgradients:
    """A choice that satisfies S1, S2 and NE, with each unit's margin."""

    duals: Matrix
    margins: Vector


@dataclass(frozen=True, slots=True)
class NoChoice:
    """No choice of subgradients was found, from which nothing follows.

    Attributes:
        reason: in words.
        tried: pairs of a unit and a direction of its inner weights that excluded a choice.
    """

    reason: str
    tried: tuple[tuple[int, Vector], ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """lower ≤ Σ coefficients · e ≤ upper over the free entries of e."""

    coefficients: Vector
    lower: mpq | None
    upper: mpq | None


Entries: TypeAlias = list[list[mpq | None]]


class Choice:
    """The linear conditions on the entries of e that are free."""

    def __init__(self, setting: Setting, entries: Sequence[Sequence[mpq | None]]) -> None:
        """Takes e, with None where the loss has a kink."""
        self.entries = [list(row) for row in entries]
        self.places = [(k, j) for k, row in enumerate(entries) for j, value in enumerate(row) if value is None]
        self.bounds = []
        for k, j in self.places:
            if setting.loss_slopes is None:
                raise AssertionError("the squared loss has no kink: this is a bug")
            low, high = setting.loss_slopes[k][j]
            self.bounds.append((setting.weights[k] * low, setting.weights[k] * high))
        self.rows: list[_Row] = []
        # the program, how many rows it has taken, and whether one without free entries is false
        self._forms: BoundedForms | None = None
        self._taken, self._is_false = 0, False

    def demand(self, factors: Sequence[Sequence[mpq]], *, is_zero: bool) -> None:
        """Adds Σ factors · e = 0, or ≥ 0; factors of shape (N, n_{L+1})."""
        known = sum(
            (
                f * e
                for row, own in zip(factors, self.entries, strict=True)
                for f, e in zip(row, own, strict=True)
                if f and e is not None
            ),
            _ZERO,
        )
        self.rows.append(_Row(tuple(factors[k][j] for k, j in self.places), -known, -known if is_zero else None))

    def allows(self, duals: Matrix) -> bool:
        """Returns whether an e fulfils all conditions."""
        values = [duals[k][j] for k, j in self.places]
        known = all(
            e is None or e == own
            for row, other in zip(self.entries, duals, strict=True)
            for e, own in zip(row, other, strict=True)
        )
        within = all(low <= value <= high for value, (low, high) in zip(values, self.bounds, strict=True))
        sums = [sum((c * v for c, v in zip(row.coefficients, values, strict=True) if c), _ZERO) for row in self.rows]
        return (
            known
            and within
            and all(
                (row.lower is None or total >= row.lower) and (row.upper is None or total <= row.upper)
                for row, total in zip(self.rows, sums, strict=True)
            )
        )

    def solve(self) -> Matrix | None:
        """Returns an e that fulfils all conditions; None if there is none. The next call goes on from there."""
        if self._forms is None:
            self._forms = BoundedForms([], len(self.places))
            for index, (low, high) in enumerate(self.bounds):
                self._forms.set_bounds(index, low, high)
        for row in self.rows[self._taken :]:
            self._taken += 1
            if not any(row.coefficients):
                self._is_false |= (row.lower is not None and row.lower > 0) or (row.upper is not None and row.upper < 0)
                continue
            integers, scale = to_integers(row.coefficients)
            self._forms.set_bounds(
                self._forms.add_form(integers),
                None if row.lower is None else row.lower * scale,
                None if row.upper is None else row.upper * scale,
            )
        solved = None if self._is_false else self._forms.solve()
        if solved is None or isinstance(solved, Conflict):
            return None
        values = dict(zip(self.places, solved, strict=True))
        return tuple(
            tuple(values[k, j] if e is None else e for j, e in enumerate(row)) for k, row in enumerate(self.entries)
        )


def choose_subgradients(
    setting: Setting, theta: Theta, found: Pass, *, guess: Matrix | None, budget: int
) -> Subgradients | NoChoice:
    """Looks for e with S1, S2 and NE. For one output it finds one if there is one, within its rounds and budget.

    Args:
        setting: the problem.
        theta: the point.
        found: its forward pass.
        guess: an e to try first.
        budget: how much work each tree may take.
    """
    choice = Choice(setting, find_duals(setting, found))
    outputs = range(setting.outputs)
    for output in outputs:
        for unit in range(len(found.arrivals[1][0])):
            factors = [[row[unit] if j == output else _ZERO for j in outputs] for row in found.arrivals[1]]
            choice.demand(factors, is_zero=True)
    for unit in range(len(theta[0])):
        _demand_linear(setting, found, choice, unit, [row[unit] for row in theta[1]])
    tried: list[tuple[int, Vector]] = []
    rounds = min(_ROUNDS, _LEAST + int(_EACH * budget) // (1 + len(choice.places)))
    for turn in range(rounds):
        duals = guess if not turn and guess is not None and choice.allows(guess) else choice.solve()
        if duals is None:
            return NoChoice("no subgradients of the loss satisfy the first-order test together", tuple(tried))
        margins: list[mpq] = []
        for unit in range(len(theta[0])):
            outer = [row[unit] for row in theta[1]]
            state = _state(map_unit(setting, found, duals, unit), outer, budget)
            if isinstance(state, Margin):
                margins.append(state.delta)
                continue
            if isinstance(state, Unknown):
                return NoChoice(f"hidden unit {unit}: its tree went beyond the budget", tuple(tried))
            tried.append((unit, state.direction))
            if isinstance(state, Escapes) and any(outer):
                return NoChoice(f"hidden unit {unit} is an escape unit for the subgradients tried", tuple(tried))
            _cut(choice, outer, _bends(setting, found, unit, state.direction))
            break
        else:
            return Subgradients(duals, tuple(margins))
    return NoChoice(f"no subgradients were found in {rounds} linear programs, which is the budget", tuple(tried))


def _demand_linear(setting: Setting, found: Pass, choice: Choice, unit: int, outer: Sequence[mpq]) -> None:
    """Adds what S2 and NE say of a unit in linear equations: D ≡ 0 where h = 0, and h·D = 0 where D is linear.

    Kinks of one direction bend D together: |x̃·v| of proportional x̃ are merged.
    """
    low, high = setting.slopes[0][unit]
    arrivals, values = found.arrivals[0], [row[unit] for row in found.values[0]]
    bends: dict[tuple[mpq, ...], list[tuple[int, mpq]]] = {}
    slopes = [high if value > 0 else low for value in values]
    for sample, (x, value) in enumerate(zip(arrivals, values, strict=True)):
        if not value and low != high and any(x):
            slopes[sample] = (low + high) / 2
            lead = next(a for a in x if a)
            bends.setdefault(tuple(a / lead for a in x), []).append((sample, abs(lead)))
    if any(outer) and bends:
        return
    wanted = [list(outer)] if any(outer) else [[mpq(j == k) for k in range(len(outer))] for j in range(len(outer))]
    for factors in wanted:
        for column in range(len(arrivals[0])):
            choice.demand(
                [[h * slope * x[column] for h in factors] for slope, x in zip(slopes, arrivals, strict=True)],
                is_zero=True,
            )
        for group in bends.values():
            sizes = dict(group)
            choice.demand(
                [[h * sizes.get(sample, _ZERO) for h in factors] for sample in range(setting.samples)], is_zero=True
            )


def read_subgradients(setting: Setting, found: Pass, form: LocalForm, witness: TreeWitness) -> Matrix | None:
    """Returns the e that the multipliers of the first-order form's witness are; it is a guess where kinks bend units.

    A residual kink's term is |z| times its weight b plus a slope; its multiplier λ, |λ| ≤ b, stands for e minus the
    slopes' mean. A kink that was merged into a proportional one takes its share of that one's multiplier.
    """
    if setting.loss_slopes is None:
        return None
    multipliers = dict(witness.settled)
    for block in witness.blocks:
        leaf = next((leaf for leaf in block.leaves if not leaf.is_empty), None)
        if leaf is not None:
            multipliers |= dict(zip(block.kinks, leaf.multipliers, strict=True))
    shares: dict[tuple[object, ...], list[tuple[int, mpq]]] = {}
    for place, (row, fold) in enumerate(zip(form.rows, form.folds, strict=True)):
        lead = next((a for a in (*row, *fold.values()) if a), None)
        if lead is not None:
            key = (tuple(a / lead for a in row), tuple((k, value / lead) for k, value in sorted(fold.items())))
            shares.setdefault(key, []).append((place, lead))
    entries = find_duals(setting, found)
    for group in shares.values():
        first, scale = group[0]
        total = sum((form.weights[place] * abs(lead / scale) for place, lead in group), _ZERO)
        given = multipliers.get(form.kinks[first], _ZERO)
        for place, lead in group:
            kink = form.kinks[place]
            if kink.layer == len(setting.slopes) and entries[kink.sample][kink.unit] is None:
                low, high = setting.loss_slopes[kink.sample][kink.unit]
                part = given * form.weights[place] / total if total else _ZERO
                mean = setting.weights[kink.sample] * (low + high) / 2
                entries[kink.sample][kink.unit] = mean + (part if lead * scale > 0 else -part)
    if any(e is None for row in entries for e in row):
        return None
    return tuple(tuple(e for e in row if e is not None) for row in entries)


def _state(own: UnitMap, outer: Sequence[mpq], budget: int) -> Margin | Falls | Escapes | Unknown:
    if any(outer):
        return judge_unit(own, outer, budget)
    for output in range(len(outer)):
        for sign in (1, -1):
            decided = decide_form(own.form([mpq(sign * (j == output)) for j in range(len(outer))]), budget)
            if isinstance(decided, Negative):
                return Escapes(decided.direction, own.rates(decided.direction))
            if not isinstance(decided, Nonnegative):
                return Unknown()
    return Margin(mpq(1))


def _bends(setting: Setting, found: Pass, unit: int, direction: Sequence[mpq]) -> list[mpq]:
    """Returns how a unit's activation changes on each sample along a direction of its inner weights."""
    low, high = setting.slopes[0][unit]
    bends = []
    for x, values in zip(found.arrivals[0], found.values[0], strict=True):
        change = sum((a * d for a, d in zip(x, direction, strict=True)), _ZERO)
        bends.append(change * (high if (values[unit] or change) > 0 else low))
    return bends


def _cut(choice: Choice, outer: Sequence[mpq], bends: Sequence[mpq]) -> None:
    """Adds what S2 (h ≠ 0) or NE (h = 0) says of a direction."""
    if any(outer):
        choice.demand([[h * bend for h in outer] for bend in bends], is_zero=False)
        return
    for output in range(len(outer)):
        choice.demand([[bend if j == output else _ZERO for j in range(len(outer))] for bend in bends], is_zero=True)
