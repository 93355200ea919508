"""An independent oracle: cells, vertices, walks and local minima by brute force, over `fractions.Fraction`.

It imports nothing from exactdrl. An instance is taken apart by its attributes alone. Cones are handled by PPL (exact,
and written by others). Everything here is certain; nothing is sampled. It is slow: for a handful of parameters and
samples.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import lcm
from operator import mul

from ppl import C_Polyhedron, Linear_Expression, MIP_Problem

Kink = tuple[int, int, int]
Row = list[Fraction]
ZERO, ONE = Fraction(0), Fraction(1)


def to_fraction(value: object) -> Fraction:
    """Returns a gmpy2, Python or text rational as a Fraction."""
    return value if isinstance(value, Fraction) else Fraction(str(value))


def to_fractions(rows: Iterable[Iterable[object]]) -> list[Row]:
    """Returns a matrix of Fractions."""
    return [[to_fraction(value) for value in row] for row in rows]


def sign(value: Fraction) -> int:
    """Returns -1, 0 or 1."""
    return (value > 0) - (value < 0)


def dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """Returns the inner product."""
    return sum((a * b for a, b in zip(left, right, strict=True)), ZERO)


# --- linear algebra over Q, by Gauss ---------------------------------------------------------------------------------


def reduced_rows(rows: Sequence[Sequence[Fraction]]) -> tuple[list[Row], list[int]]:
    """Returns the reduced row echelon form without zero rows, and its pivot columns."""
    work = [list(row) for row in rows]
    pivots: list[int] = []
    width = len(work[0]) if work else 0
    for column in range(width):
        rank = len(pivots)
        found = next((r for r in range(rank, len(work)) if work[r][column] != 0), None)
        if found is None:
            continue
        work[rank], work[found] = work[found], work[rank]
        pivot = work[rank][column]
        work[rank] = [value / pivot for value in work[rank]]
        for r in range(len(work)):
            factor = work[r][column]
            if r != rank and factor != 0:
                work[r] = [a - factor * b for a, b in zip(work[r], work[rank], strict=True)]
        pivots.append(column)
    return work[: len(pivots)], pivots


def rank(rows: Sequence[Sequence[Fraction]]) -> int:
    """Returns the rank."""
    return len(reduced_rows(rows)[1])


def pivot_columns(rows: Sequence[Sequence[Fraction]]) -> list[int]:
    """Returns, from left to right, the columns that are no linear combination of those before."""
    return reduced_rows(rows)[1]


def inverse(matrix: Sequence[Sequence[Fraction]]) -> list[Row] | None:
    """Returns the inverse, None for a singular matrix."""
    n = len(matrix)
    rows = [[*row, *(Fraction(i == j) for j in range(n))] for i, row in enumerate(matrix)]
    reduced, pivots = reduced_rows(rows)
    if pivots[:n] != list(range(n)):
        return None
    return [row[n:] for row in reduced]


def combination(rows: Sequence[Sequence[Fraction]], target: Sequence[Fraction]) -> Row | None:
    """Returns a λ with Σ λ_j row_j = target, None if there is none."""
    count = len(rows)
    system = [[*(row[c] for row in rows), target[c]] for c in range(len(target))]
    reduced, pivots = reduced_rows(system)
    if count in pivots:
        return None
    solution = [ZERO] * count
    for row, pivot in zip(reduced, pivots, strict=True):
        solution[pivot] = row[count]
    return solution


# --- the problem -----------------------------------------------------------------------------------------------------


class Problem:
    """An instance over Fractions: the trained layer's pushed inputs and the layers above it.

    Attributes:
        pushed: x̃, shape (N, m).
        layer: the trained layer ℓ; depth: L; last: L+1.
        upper: (weight, bias) of layers ℓ+1..L+1, the bias all zeros where there is none.
        units: n_ℓ; m: parameters of one unit; start: shape (n_ℓ, m).
    """

    def __init__(self, instance: object) -> None:
        layers = [
            (
                to_fractions(layer.weight),
                [ZERO] * len(layer.weight) if layer.bias is None else [to_fraction(b) for b in layer.bias],
            )
            for layer in instance.layers
        ]
        self.layer: int = instance.layer
        self.last = len(layers)
        self.pushed: list[Row] = []
        for row in to_fractions(instance.inputs):
            values = row
            for weight, bias in layers[: self.layer - 1]:
                values = [max(dot(w, values) + b, ZERO) for w, b in zip(weight, bias, strict=True)]
            self.pushed.append([*values, ONE] if instance.layers[self.layer - 1].bias is not None else list(values))
        self.upper = layers[self.layer :]
        self.targets = to_fractions(instance.targets)
        self.start = to_fractions(instance.start)
        self.units, self.m = len(self.start), len(self.start[0])
        self.n = self.units * self.m
        self.columns = pivot_columns(self.pushed)
        self.reduced_n = self.units * len(self.columns)

    @property
    def lineality(self) -> int:
        """Returns the dimension of the directions along which nothing changes."""
        return self.n - self.reduced_n

    def kinks(self) -> Iterator[Kink]:
        """Yields every kink's address, in address order."""
        widths = [self.units, *(len(weight) for weight, _ in self.upper)]
        for offset, width in enumerate(widths):
            for sample in range(len(self.pushed)):
                for unit in range(width):
                    yield self.layer + offset, sample, unit

    def values(self, theta: Sequence[Sequence[Fraction]]) -> dict[Kink, Fraction]:
        """Returns every preactivation and residual, by a plain forward pass."""
        result: dict[Kink, Fraction] = {}
        for sample, x in enumerate(self.pushed):
            pre = [dot(row, x) for row in theta]
            layer = self.layer
            for weight, bias in self.upper:
                result.update({(layer, sample, unit): value for unit, value in enumerate(pre)})
                active = [max(value, ZERO) for value in pre]
                pre = [dot(row, active) + b for row, b in zip(weight, bias, strict=True)]
                layer += 1
            for unit, value in enumerate(pre):
                result[layer, sample, unit] = value - self.targets[sample][unit]
        return result

    def loss(self, theta: Sequence[Sequence[Fraction]]) -> Fraction:
        """Returns Σ |residual|."""
        return sum((abs(value) for (layer, _, _), value in self.values(theta).items() if layer == self.last), ZERO)

    def normals(self, on: dict[Kink, bool]) -> tuple[dict[Kink, Row], Row]:
        """Returns every kink's normal in the cell of a pattern, in all n parameters, and the cell's gradient."""
        result: dict[Kink, Row] = {}
        gradient = [ZERO] * self.n
        for sample, x in enumerate(self.pushed):
            rows = []
            for unit in range(self.units):
                row = [ZERO] * self.n
                row[unit * self.m : (unit + 1) * self.m] = x
                rows.append(row)
            layer = self.layer
            for weight, _ in self.upper:
                result.update({(layer, sample, unit): row for unit, row in enumerate(rows)})
                rows = [
                    [
                        sum(
                            (
                                w * row[c]
                                for u, (w, row) in enumerate(zip(ws, rows, strict=True))
                                if on[layer, sample, u]
                            ),
                            ZERO,
                        )
                        for c in range(self.n)
                    ]
                    for ws in weight
                ]
                layer += 1
            for unit, row in enumerate(rows):
                result[layer, sample, unit] = row
                factor = 1 if on[layer, sample, unit] else -1
                gradient = [a + factor * b for a, b in zip(gradient, row, strict=True)]
        return result, gradient

    def reduce(self, row: Sequence[Fraction]) -> Row:
        """Returns the entries of a row of n in the pivot columns."""
        return [row[unit * self.m + column] for unit in range(self.units) for column in self.columns]

    def is_in_cell(self, values: dict[Kink, Fraction], on: dict[Kink, bool]) -> bool:
        """Returns whether a point lies in the closed cell of a pattern.

        The pattern's affine functions agree with the true values at a point that satisfies the signs weakly, layer by
        layer.
        """
        return all(value == 0 or (value > 0) == on[kink] for kink, value in values.items())


# --- minimality by enumeration of cells ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Minimality:
    """The oracle's answer. `direction` is one of descent if there is one, else one along which the loss does not
    change, else None.
    """

    is_minimum: bool
    is_strict: bool
    cells: int
    direction: Row | None


class TooManyCellsError(Exception):
    """The enumeration would take too long; nothing is said."""


def _integer_rows(rows: Sequence[Sequence[Fraction]]) -> list[list[int]]:
    """Returns the rows times their least common denominator."""
    scale = lcm(*(value.denominator for row in rows for value in row))
    return [[int(value * scale) for value in row] for row in rows]


def decide_minimality(problem: Problem, theta: Sequence[Sequence[Fraction]], max_cells: int = 20_000) -> Minimality:
    """Decides whether a point is a local minimum, by going through all full-dimensional cells of the local fan.

    Near the point the loss is L + F(d) with F positively homogeneous and linear on each cone of a fan. Sample after
    sample and
    layer after layer each vanishing kink's form, linear on the current cone, splits it where it takes both signs
    there. On the final
    cones F is linear, so its sign is that on their generators. The closed full-dimensional cones cover the space.

    Raises:
        TooManyCellsError: more than `max_cells` cones.
    """
    values = problem.values(theta)
    samples = len(problem.pushed)
    cells = 0
    flat: Row | None = None
    # in integers: each form and F are multiplied by positive factors, so that all signs stay
    pushed = _integer_rows(problem.pushed)
    upper = [_integer_rows(weight) for weight, _ in problem.upper]

    def cones(
        cone: C_Polyhedron,
        generators: list[list[int]],
        rows: list[list[int]],
        layer: int,
        sample: int,
        unit: int,
        on: list[bool],
    ) -> Iterator[tuple[C_Polyhedron, list[list[int]], list[bool]]]:
        """Yields the cone's parts on which all kinks from `unit` on in this layer and sample have one sign.

        With each part come its generators and the signs.
        """
        if unit == len(rows):
            yield cone, generators, on
            return
        value = values[layer, sample, unit]
        if value != 0:
            yield from cones(cone, generators, rows, layer, sample, unit + 1, [*on, value > 0])
            return
        form = rows[unit]
        signs = [sum(map(mul, form, g)) for g in generators]
        if not any(s < 0 for s in signs):
            yield from cones(cone, generators, rows, layer, sample, unit + 1, [*on, True])
        elif not any(s > 0 for s in signs):
            yield from cones(cone, generators, rows, layer, sample, unit + 1, [*on, False])
        else:
            for side in (True, False):
                part = C_Polyhedron(cone)
                expression = Linear_Expression(form if side else [-a for a in form], 0)
                part.add_constraint(expression >= 0)
                yield from cones(part, _spanning(part), rows, layer, sample, unit + 1, [*on, side])

    def through(
        cone: C_Polyhedron,
        generators: list[list[int]],
        layer: int,
        sample: int,
        rows: list[list[int]],
        gradient: list[int],
    ) -> Iterator[tuple[list[list[int]], list[int]]]:
        """Yields the generators of the cone's parts on which everything from this layer and sample on is linear.

        With them comes the gradient of F there.
        """
        if sample == samples:
            yield generators, gradient
            return
        if layer == problem.layer:
            rows = []
            for unit in range(problem.units):
                row = [0] * problem.n
                row[unit * problem.m : (unit + 1) * problem.m] = pushed[sample]
                rows.append(row)
        for part, own, on in cones(cone, generators, rows, layer, sample, 0, []):
            if layer == problem.last:
                total = gradient
                for row, is_on in zip(rows, on, strict=True):
                    total = [a + b if is_on else a - b for a, b in zip(total, row, strict=True)]
                yield from through(part, own, problem.layer, sample + 1, [], total)
            else:
                active = [index for index, is_on in enumerate(on) if is_on]
                deeper = [
                    [sum(ws[index] * rows[index][c] for index in active) for c in range(problem.n)]
                    for ws in upper[layer - problem.layer]
                ]
                yield from through(part, own, layer + 1, sample, deeper, gradient)

    space = C_Polyhedron(problem.n, "universe")
    for generators, gradient in through(space, _spanning(space), problem.layer, 0, [], [0] * problem.n):
        cells += 1
        if cells > max_cells:
            raise TooManyCellsError(f"more than {max_cells} cells")
        for direction in generators:
            slope = sum(map(mul, gradient, direction))
            if slope < 0:
                return Minimality(False, False, cells, [Fraction(d) for d in direction])
            if slope == 0:
                flat = [Fraction(d) for d in direction]
    return Minimality(True, flat is None, cells, flat)


def _spanning(cone: C_Polyhedron) -> list[list[int]]:
    """Returns vectors whose nonnegative combinations are the cone: its rays, and its lines both ways."""
    rays, lines = [], []
    for generator in cone.generators():
        if not generator.is_point():  # the apex, which is the origin
            (lines if generator.is_line() else rays).append([int(entry) for entry in generator.coefficients()])
    return [*rays, *lines, *([-entry for entry in line] for line in lines)]


def move(theta: Sequence[Sequence[Fraction]], direction: Sequence[Fraction], length: Fraction) -> list[Row]:
    """Returns theta + length · direction."""
    m = len(theta[0])
    return [[v + length * direction[u * m + c] for c, v in enumerate(row)] for u, row in enumerate(theta)]


# --- the local form and LIKQ, FORMAT.md section 5 --------------------------------------------------------------------


@dataclass
class LocalForm:
    """F(d) = g·d + Σ b_k |z_k|, z_k = Z_k·d + Σ L_kj |z_j|, over all n parameters.

    Attributes:
        active: the active kinks in address order; linear: Z; absolute: L as sparse rows; weights: b; gradient: g.
    """

    active: list[Kink]
    linear: dict[Kink, Row]
    absolute: dict[Kink, dict[Kink, Fraction]]
    weights: dict[Kink, Fraction]
    gradient: Row


def local_form(problem: Problem, theta: Sequence[Sequence[Fraction]]) -> LocalForm:
    """Returns the local form at a point, exactly as section 5 writes it."""
    values = problem.values(theta)
    form = LocalForm([], {}, {}, {}, [ZERO] * problem.n)
    half = Fraction(1, 2)
    for sample, x in enumerate(problem.pushed):
        rows: list[tuple[Row, dict[Kink, Fraction]]] = []
        for unit in range(problem.units):
            row = [ZERO] * problem.n
            row[unit * problem.m : (unit + 1) * problem.m] = x
            rows.append((row, {}))
        for layer in range(problem.layer, problem.last + 1):
            changes: list[tuple[Row, dict[Kink, Fraction]]] = []
            for unit, (row, all_parts) in enumerate(rows):
                kink = (layer, sample, unit)
                value = values[kink]
                parts = {k: v for k, v in all_parts.items() if v != 0}
                is_active = value == 0 and (any(row) or bool(parts))
                if is_active:
                    form.active.append(kink)
                    form.linear[kink], form.absolute[kink] = row, parts
                    form.weights[kink] = ZERO
                if layer < problem.last:
                    if value > 0:
                        changes.append((row, parts))
                    elif is_active:
                        changes.append(
                            ([half * v for v in row], {**{k: half * v for k, v in parts.items()}, kink: half})
                        )
                    else:
                        changes.append(([ZERO] * problem.n, {}))
                elif value != 0:
                    factor = sign(value)
                    form.gradient = [a + factor * b for a, b in zip(form.gradient, row, strict=True)]
                    for k, v in parts.items():
                        form.weights[k] += factor * v
                elif is_active:
                    form.weights[kink] += 1
            if layer < problem.last:
                weight = problem.upper[layer - problem.layer][0]
                rows = []
                for ws in weight:
                    total, parts = [ZERO] * problem.n, {}
                    for w, (change, change_parts) in zip(ws, changes, strict=True):
                        total = [a + w * b for a, b in zip(total, change, strict=True)]
                        for k, v in change_parts.items():
                            parts[k] = parts.get(k, ZERO) + w * v
                    rows.append((total, parts))
    form.active.sort()
    return form


def local_change(form: LocalForm, direction: Sequence[Fraction]) -> Fraction:
    """Returns F(d)."""
    sizes: dict[Kink, Fraction] = {}
    for kink in form.active:
        value = dot(form.linear[kink], direction) + sum((v * sizes[k] for k, v in form.absolute[kink].items()), ZERO)
        sizes[kink] = abs(value)
    return dot(form.gradient, direction) + sum((w * sizes[k] for k, w in form.weights.items()), ZERO)


class FoldedError(Exception):
    """Some kink folds another: the form is not that of one layer."""


def decide_on_rays(form: LocalForm) -> tuple[bool, bool, Row | None]:
    """Returns whether F ≥ 0, whether F > 0 off 0, and a direction with F < 0 if there is one; for one layer.

    F is linear on each cell of the arrangement of the hyperplanes Z_k·d = 0. If the forms span, the cells are cones
    without a line, generated by rays, each one of the two directions of the null space of n-1 independent forms. So
    F ≥ 0 everywhere iff F ≥ 0 on all rays, and F > 0 off 0 iff F > 0 on all. If they do not span, F's slope along the
    directions in which all forms rest decides first; where it is 0, F depends on the forms alone, and the parameters
    outside their pivot columns can be held.

    Raises:
        FoldedError: the form is not that of one layer.
    """
    if any(form.absolute[kink] for kink in form.active):
        raise FoldedError
    n = len(form.gradient)
    rows = [form.linear[kink] for kink in form.active]
    reduced, pivots = reduced_rows(rows)
    others = [column for column in range(n) if column not in pivots]
    for column in others:
        still = [ZERO] * n
        still[column] = ONE
        for row, pivot in zip(reduced, pivots, strict=True):
            still[pivot] = -row[column]
        slope = dot(form.gradient, still)
        if slope != 0:
            return False, False, [-slope * entry for entry in still]
    held = {tuple(row[p] for p in pivots) for row in rows}
    lines = sorted({tuple(a / next(b for b in row if b) for a in row) for row in held if any(row)})
    is_strict = not others
    for chosen in combinations(lines, len(pivots) - 1) if pivots else ():
        echelon, leads = reduced_rows(chosen)
        if len(leads) < len(pivots) - 1:
            continue
        (free,) = set(range(len(pivots))).difference(leads)
        ray = [ZERO] * n
        ray[pivots[free]] = ONE
        for row, lead in zip(echelon, leads, strict=True):
            ray[pivots[lead]] = -row[free]
        for direction in (ray, [-entry for entry in ray]):
            change = local_change(form, direction)
            if change < 0:
                return False, False, direction
            is_strict = is_strict and change > 0
    return True, is_strict, None


def reduce_form(form: LocalForm) -> LocalForm:
    """Returns the form after section 5's reduction (i), (ii), (iii), repeated until nothing changes."""
    kinks = list(form.active)
    linear = dict(form.linear)
    absolute = {k: dict(v) for k, v in form.absolute.items()}
    weights = dict(form.weights)

    def drop(kink: Kink, into: Kink | None, factor: Fraction) -> None:
        for parts in absolute.values():
            value = parts.pop(kink, ZERO)
            if into is not None and value != 0:
                parts[into] = parts.get(into, ZERO) + factor * value
                if parts[into] == 0:
                    del parts[into]
        value = weights.pop(kink)
        if into is not None:
            weights[into] += factor * value
        kinks.remove(kink)
        del linear[kink], absolute[kink]

    def one_reduction() -> bool:
        for q in kinks:
            if not any(linear[q]) and not absolute[q]:
                drop(q, None, ZERO)
                return True
            if weights[q] == 0 and not any(q in absolute[k] for k in kinks):
                drop(q, None, ZERO)
                return True
        for position, q in enumerate(kinks):
            for p in kinks[:position]:
                factor = _ratio(linear[p], absolute[p], linear[q], absolute[q])
                if factor is not None:
                    drop(q, p, abs(factor))
                    return True
        return False

    while one_reduction():
        pass
    return LocalForm(kinks, linear, absolute, weights, form.gradient)


def _ratio(z_p: Row, l_p: dict[Kink, Fraction], z_q: Row, l_q: dict[Kink, Fraction]) -> Fraction | None:
    keys = sorted({*l_p, *l_q})
    p = [*z_p, *(l_p.get(k, ZERO) for k in keys)]
    q = [*z_q, *(l_q.get(k, ZERO) for k in keys)]
    pivot = next((i for i, v in enumerate(p) if v != 0), None)
    if pivot is None:
        return None
    factor = q[pivot] / p[pivot]
    return factor if factor != 0 and all(b == factor * a for a, b in zip(p, q, strict=True)) else None


def likq_verdict(problem: Problem, form: LocalForm) -> str | None:
    """Returns "strict", "minimum" or "no" by LIKQ of the reduced form, None where LIKQ does not hold."""
    reduced = reduce_form(form)
    rows = [reduced.linear[k] for k in reduced.active]
    if rank(rows) != len(rows):
        return None
    multipliers = combination(rows, reduced.gradient) if rows else ([] if not any(reduced.gradient) else None)
    if multipliers is None:
        return "no"
    by_kink = dict(zip(reduced.active, multipliers, strict=True))
    slack = []
    for j in reduced.active:
        c = reduced.weights[j] - sum((reduced.absolute[k].get(j, ZERO) * by_kink[k] for k in reduced.active), ZERO)
        slack.append(c - abs(by_kink[j]))
    if any(s < 0 for s in slack):
        return "no"
    return "strict" if all(s > 0 for s in slack) and len(rows) == problem.n else "minimum"


# --- least absolute deviations as a linear program -------------------------------------------------------------------


def lad_optimum(pushed: Sequence[Sequence[Fraction]], target: Sequence[Fraction]) -> Fraction:
    """Returns min over θ of Σ |x̃_i·θ - y_i|, by PPL's exact simplex."""
    m, samples = len(pushed[0]), len(pushed)
    program = MIP_Problem(m + samples)
    for i, (x, y) in enumerate(zip(pushed, target, strict=True)):
        (row,) = _integer_rows([[*x, y]])
        scale = lcm(*(v.denominator for v in [*x, y]))
        for side in (1, -1):
            coefficients = [-side * a for a in row[:m]] + [scale if k == i else 0 for k in range(samples)]
            program.add_constraint(Linear_Expression(coefficients, side * row[m]) >= 0)
    program.set_objective_function(Linear_Expression([0] * m + [1] * samples, 0))
    program.set_optimization_mode("minimization")
    return Fraction(str(program.optimal_value()))


def lad_optimum_of(problem: Problem) -> Fraction:
    """Returns the least loss of a problem whose last layer is trained: its outputs are separate programs."""
    return sum((lad_optimum(problem.pushed, [row[j] for row in problem.targets]) for j in range(problem.units)), ZERO)
