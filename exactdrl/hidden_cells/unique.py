"""Decides every sign choice by the signs of the relaxation's minimum, where that is unique, without a linear program.

Let the columns of A that matter (the samples' pivot columns of live units, and the constant) be independent on the tied
samples. Then V is the only minimum. A choice fails at a unit of which a condition c · V > 0 is false, and then p with
Aᵀ p = -c proves it, since p · t = p · A V = -c · V; or at a unit that should be 0 and is not.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from flint import fmpz_mat, nmod_mat
from gmpy2 import mpq, mpz

from exactdrl.exact.linear import PRIME, independent_rows, solve_regular, to_fmpz, to_integers, to_mpz
from exactdrl.hidden_cells.farkas import Farkas
from exactdrl.hidden_cells.relaxation import Relaxation, to_scaled_rows
from exactdrl.hidden_cells.setting import Setting

_ZERO = mpq(0)

Answer = tuple[mpq, ...] | Farkas


class _Unique:
    def __init__(self, setting: Setting, patterns: Sequence[str], relaxation: Relaxation) -> None:
        self.setting, self.patterns, self.relaxation = setting, patterns, relaxation
        size, width = setting.samples.dimension, len(relaxation.variables)
        self.live = [unit for unit, pattern in enumerate(patterns) if not setting.is_dead(pattern)]
        self.columns = [unit * size + column for unit in self.live for column in setting.samples.pivots]
        self.columns += range(len(patterns) * size, width)
        self.tied = [sample for sample, is_tied in enumerate(relaxation.is_tied) if is_tied]
        rows, factors = to_scaled_rows(
            [[relaxation.matrix[sample][column] for column in self.columns] for sample in self.tied]
        )
        self.rows, self.factors = rows, factors

    def is_unique(self) -> bool:
        """Returns whether the columns are independent modulo a prime: if so, they are."""
        count, width = len(self.rows), len(self.columns)
        if count < width:
            return False
        if not width:
            return True
        entries = [int(entry) % PRIME for row in self.rows for entry in row]
        return bool(nmod_mat(count, width, entries, PRIME).rank() == width)

    def values(self, unit: int) -> list[tuple[int, mpq]]:
        """Returns σ x̃_k · v for the samples with x̃_k ≠ 0."""
        samples, size = self.setting.samples, self.setting.samples.dimension
        v = self.relaxation.variables[unit * size : (unit + 1) * size]
        numbers, scale = to_integers(list(v))
        found = []
        for sample, (row, bit) in enumerate(zip(samples.rows, self.patterns[unit], strict=True)):
            if samples.places[sample] is not None:
                total = sum((a * b for a, b in zip(row, numbers, strict=True) if b), mpz(0))
                found.append((sample, mpq(total if bit == "1" else -total, scale)))
        return found

    def reasons(self) -> Iterator[dict[str, tuple[int, int, mpq] | None]]:
        """Yields for each unit its signs, each with None if V has it, or what is wrong.

        That is a sample and 1 or -1, the side on which σ x̃ · v is not; or -1 - column, and the sign of an entry other
        than 0.
        """
        size = self.setting.samples.dimension
        for unit in range(len(self.patterns)):
            if unit not in self.live:
                yield {"*": None}
                continue
            values = self.values(unit)
            found: dict[str, tuple[int, int, mpq] | None] = {}
            for sign, side in (("+", 1), ("-", -1)):
                worst = min(values, key=lambda pair, side=side: side * pair[1])  # type: ignore[misc]
                found[sign] = None if side * worst[1] > 0 else (worst[0], side, side * worst[1])
            own = self.relaxation.variables[unit * size : (unit + 1) * size]
            column = next((place for place, entry in enumerate(own) if entry), None)
            found["0"] = None if column is None else (-1 - column, 1 if own[column] > 0 else -1, own[column])
            yield found

    def prove(self, unit: int, reason: tuple[int, int, mpq]) -> Farkas:
        """Returns the multipliers of a reason."""
        samples, count = self.setting.samples, len(self.setting.targets)
        place, side, _ = reason
        size = samples.dimension
        goal = [_ZERO] * len(self.columns)
        cones = [[_ZERO] * count for _ in self.patterns]
        start = self.columns.index(unit * size + samples.pivots[0])
        if place >= 0:
            factor = (1 if self.patterns[unit][place] == "1" else -1) * side
            vector = samples.vector(place)
            for offset, column in enumerate(samples.pivots):
                goal[start + offset] = -factor * vector[column]
            cones[unit][place] = mpq(1)
        else:
            goal[self.columns.index(unit * size - 1 - place)] = mpq(side)
        fits = self._solve(goal)
        return Farkas(tuple(map(tuple, cones)), tuple(fits))

    def _solve(self, goal: Sequence[mpq]) -> list[mpq]:
        """Returns p on some tied samples with Aᵀ p = goal."""
        width = len(self.columns)
        chosen = independent_rows(self.rows, width)
        numbers, scale = to_integers(list(goal))
        square = fmpz_mat(width, width, [to_fmpz(self.rows[k][column]) for column in range(width) for k in chosen])
        solution, unit = solve_regular(square, fmpz_mat(width, 1, [to_fmpz(entry) for entry in numbers]))
        fits = [_ZERO] * len(self.setting.targets)
        for place, entry in zip(chosen, solution.entries(), strict=True):
            fits[self.tied[place]] = mpq(to_mpz(entry), to_mpz(unit)) / scale * self.factors[place]
        return fits


def decide_unique(setting: Setting, patterns: Sequence[str], relaxation: Relaxation) -> dict[str, Answer] | None:
    """Returns every sign choice with its answer, if the relaxation has one minimum only; else None.

    Args:
        setting: of the problem.
        patterns: K patterns.
        relaxation: of their hidden cell.
    """
    unique = _Unique(setting, patterns, relaxation)
    if not unique.is_unique():
        return None
    reasons = list(unique.reasons())
    proofs: dict[tuple[int, str], Farkas] = {}
    found: dict[str, Answer] = {}
    for word in product(*reasons):
        failing = next(
            ((unit, sign, reason) for unit, sign in enumerate(word) if (reason := reasons[unit][sign]) is not None),
            None,
        )
        if failing is None:
            found["".join(word)] = relaxation.variables
            continue
        unit, sign, reason = failing
        if (unit, sign) not in proofs:
            proofs[unit, sign] = unique.prove(unit, reason)
        found["".join(word)] = proofs[unit, sign]
    return found
