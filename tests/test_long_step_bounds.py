"""Bounds of the filtered arithmetic on regressions: each encloses exact numbers, and each is needed."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import oracle
import pytest
import threadpoolctl
from test_long_step import FAMILIES, random_instance

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.doors.arrays import from_regression
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss
from exactdrl.regression import bounds as regression_bounds
from exactdrl.regression import filtered as regression_filtered
from exactdrl.regression import long_step, threads
from exactdrl.regression.bounds import (
    Inverse,
    Located,
    Vertex,
    certain_signs,
    exchange,
    falls_forever,
    invert,
    is_certainly,
    locate,
    price,
)
from exactdrl.regression.exact import ExactRegression
from exactdrl.regression.filtered import FilteredRegression
from exactdrl.regression.floats import FloatRegression, from_rows, load, slack
from exactdrl.regression.products import PIECES, cut, piece_bits, product
from exactdrl.regression.protocol import Regression
from exactdrl.walks.driver import Walk

UNIT = Fraction(1, 2**53)


def exact(array: np.ndarray) -> list[list[Fraction]]:
    return [[Fraction(value) for value in row] for row in array.tolist()]


def cancelling(rows: int, terms: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data whose products cancel but for parts far below their last places; rows and columns of very different sizes.

    The terms are of one size: the bound is that of the greatest.
    """
    source = random.Random(seed)
    scales = [2.0 ** source.randint(-40, 40) for _ in range(terms)]
    factors = np.array([[source.uniform(-1, 1) * scale] for scale in scales])
    high = np.array(
        [
            [source.uniform(-1, 1) / scale * size for scale in scales]
            for size in (2.0 ** source.randint(-40, 40) for _ in range(rows))
        ]
    )
    for row in high:
        # the last entry cancels the leading bits, the one before it the bits behind them
        row[-2:] = 0.0
        for place in (-1, -2):
            total = sum(Fraction(a) * Fraction(b[0]) for a, b in zip(row, factors, strict=True))
            row[place] = float(-total / Fraction(factors[place][0]))
    low = high * np.array([[source.uniform(-1, 1) * 2.0**-54 for _ in range(terms)] for _ in range(rows)])
    return high, low, factors


@pytest.mark.parametrize("with_low", [False, True])
@pytest.mark.parametrize("terms", [3, 6, 27, 130])
def test_product_is_as_if_in_twice_the_precision(terms: int, *, with_low: bool) -> None:
    """Its errors are below 2 u of the result plus the bound; the bound is needed, and far below one precision's."""
    needed = 0
    for seed in range(12):
        high, low, factors = cancelling(5, terms, seed)
        found, bounds = product(high, low if with_low else None, factors)
        lost = exact(low if with_low else 0.0 * low)
        for i, heads in enumerate(exact(high)):
            row = [a + b for a, b in zip(heads, lost[i], strict=True)]
            parts = [a * b[0] for a, b in zip(row, exact(factors), strict=True)]
            error = abs(Fraction(float(found[i, 0])) - sum(parts))
            bound = Fraction(float(bounds[i, 0]))
            assert error <= 2 * UNIT * abs(sum(parts)) + bound
            needed += error > 2 * UNIT * abs(sum(parts))
            # it is that of the row's own greatest term, whatever the other rows are
            assert bound <= max(map(abs, parts)) * terms * (terms + 17) * 2**6 * UNIT**2
    assert needed


def test_sizes_do_not_matter_to_a_product() -> None:
    """Zeros, a zero row, a zero column and factors of 2^±300: exact where the result has so few bits."""
    high = np.array([[3.0, 0.0, 2.0**100], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    factors = np.array([[2.0**-300], [2.0**-300], [2.0**-301]])
    found, bounds = product(high, None, factors)
    assert found.tolist() == [[2.0**-300 * 3.0 + 2.0**-201], [0.0], [5.0 * 2.0**-301]]
    assert (bounds > 0.0).all()
    found, _ = product(np.ones((1, 2)), None, np.array([[np.inf], [1.0]]))
    assert np.isnan(found).all()


def test_pieces_are_short_enough() -> None:
    """Pieces sum to the value but for half the last unit; sums of products of two are exact, with one bit more not."""
    source = random.Random(1)
    terms = 27
    left = np.array([[source.uniform(-1, 1) for _ in range(terms)] for _ in range(40)])
    right = left[:1].T.copy()
    # large odd pieces make the longest sums
    left[0] = right[:, 0] = 2.0 / 3.0
    counts = []
    for bits in (piece_bits(terms), piece_bits(terms) + 3):
        rows = cut(left, np.ones((40, 1)), bits)
        columns = cut(right, np.ones(1), bits)
        for value, parts in zip(exact(left)[0], zip(*(exact(part)[0] for part in rows), strict=True), strict=True):
            assert abs(value - sum(parts)) <= Fraction(1, 2 ** (bits * PIECES + 1))
        wrong = 0
        for k in range(1, PIECES + 1):
            heads = np.concatenate(rows[:k], axis=1)
            tails = np.concatenate(columns[k - 1 :: -1], axis=0)
            for found, row in zip((heads @ tails)[:, 0].tolist(), exact(heads), strict=True):
                wrong += Fraction(found) != sum(a * b[0] for a, b in zip(row, exact(tails), strict=True))
        counts.append(wrong)
    assert counts[0] == 0
    assert counts[1] > 0


def with_loss(instance: Instance, loss: Loss, *, is_weighted: bool) -> Instance:
    """Returns the instance with another loss, its targets made signs for the hinge, and weights, some of them 0."""
    targets = [[1.0 if y > 0 else -1.0] for (y,) in instance.targets] if loss.kind == "hinge" else instance.targets
    source = random.Random(5)
    weights = [source.choice([0, Fraction(1, 3), 2.5, 10**6]) for _ in instance.inputs] if is_weighted else None
    return Instance.create(
        [(instance.layers[0].weight, instance.layers[0].bias)], instance.inputs, targets, loss=loss, weights=weights
    )


def walked(instance: Instance) -> list[FilteredRegression]:
    """Returns the arithmetic at every vertex of a walk, as fresh ones."""
    walk = Walk(instance, rule="long-step")
    regression = Regression.of_unit(walk.problem, 0)
    bases = [walk.first_vertex.basis]
    basis = list(walk.first_vertex.basis)
    for step in walk:
        if step.basis is not None:
            basis = list(step.basis)
        basis.remove(step.leaving)
        basis.append(step.entering)
        bases.append(tuple(basis))
    return [FilteredRegression(regression, [regression.places[kink.sample] for kink in own]) for own in bases]


TILTED = [
    Loss.pinball(Fraction(1, 3)),
    Loss.hinge(),
    # the linear term is far larger than all rows
    Loss.two_slope([Fraction(-1, 10**6)], [Fraction(1, 3)]),
]


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("loss", TILTED, ids=["pinball", "hinge", "two-slope"])
@pytest.mark.parametrize("family", ["generic", "collinear", "integers"])
def test_tilted_and_weighted_residuals_are_enclosed(family: str, loss: Loss, *, is_weighted: bool) -> None:
    """The same with a linear term, and with weights of the samples."""
    off = check_enclosures(with_loss(random_instance(30, 3, 3, family=family), loss, is_weighted=is_weighted))
    assert off["value"]


@pytest.mark.parametrize("family", FAMILIES)
def test_residuals_and_multipliers_are_enclosed(family: str) -> None:
    """At every vertex residuals and multipliers lie within their bounds, before and after the origin moves."""
    off = check_enclosures(random_instance(30, 3, 3, family=family))
    assert off["value"]
    # sums of small integers are exact
    assert off["multiplier"] or family in ("integers", "near ties", "collinear")


def check_enclosures(instance: Instance) -> dict[str, int]:
    """Checks all bounds at all vertices of a walk, and counts what is off."""
    off = {"value": 0, "multiplier": 0}
    for arithmetic in walked(instance):
        vertex, floats, regression = arithmetic._vertex, arithmetic._floats, arithmetic.regression
        if vertex is None or floats is None:
            continue
        exactly = ExactRegression(regression, arithmetic.basis)
        numerators, denominator = exactly.point
        point = [Fraction(int(entry), int(denominator)) for entry in numerators.entries()]
        scale = regression.scale
        true = []
        for place in range(regression.count):
            value = sum(int(a) * b for a, b in zip(regression.row(place), point, strict=True))
            true.append((value + int(regression.offset(place))) * Fraction(int(regression.weights[place]), int(scale)))
        for moved in (False, True):
            at = invert(floats, arithmetic.basis)
            assert at is not None
            located = locate(floats, at)
            errors = floats.errors(located.reach, located.error)
            assert float(errors[: regression.count].max()) <= floats.greatest_error(located.reach, located.error)
            for place, value in enumerate(true):
                error = abs(Fraction(float(located.values[place])) - value)
                assert error <= Fraction(float(errors[place]))
                for side in (-1, 1):
                    assert not is_certainly(floats, located, place, side) or value * side > 0
                off["value"] += error > 0
            signs, unsure = certain_signs(floats, at, located)
            check_point(floats, located, point)
            assert all(sign == 0 or (sign > 0) == (v > 0) for sign, v in zip(signs.tolist(), true, strict=False))
            assert all(sign or place in {*unsure, *arithmetic.basis} for place, sign in enumerate(signs[: len(true)]))
            if moved:
                assert all(true[place] == 0 for place in unsure)
            floats.move_origin(located.s)
        multipliers = [oracle.to_fraction(m) for m in exactly.multipliers_of(arithmetic.basis, {})]
        for found, bound, value in zip(vertex.priced.multipliers, vertex.priced.errors, multipliers, strict=True):
            error = abs(Fraction(float(found)) - value)
            assert error <= Fraction(float(bound))
            off["multiplier"] += error > 0
    return off


def check_point(floats: FloatRegression, located: Located, point: list[Fraction]) -> None:
    """Compares s, in the parameters themselves, with the exact point."""
    coordinates = floats.coordinates
    assert coordinates is not None
    s, error = [Fraction(value) for value in located.s.tolist()], Fraction(located.error)
    for true, origin, row in zip(point, coordinates.origin.tolist(), exact(coordinates.transform), strict=True):
        off = true - Fraction(origin) - sum(a * b for a, b in zip(row, s, strict=True))
        assert abs(off) <= sum(map(abs, row)) * error


def at_zero(inputs: list[float], signs: list[int]) -> FilteredRegression:
    """Returns the vertex u = 0 of a regression in one parameter; the first input is the basis."""
    targets = [[0.0], *([float(-sign)] for sign in signs)]
    instance = from_regression([[value] for value in inputs], targets, has_bias=False)
    return FilteredRegression(Regression.of_unit(IntegerProblem.from_instance(instance), 0), [0])


def test_the_gradient_s_error_is_needed() -> None:
    """Where the gradient cancels, its own rounding is all of the multiplier's error."""
    source, needed = random.Random(1), 0
    for _ in range(20):
        inputs = [source.uniform(-1, 1) for _ in range(200)]
        signs = [source.choice([-1, 1]) for _ in inputs]
        total = sum(Fraction(sign) * Fraction(value) for sign, value in zip(signs, inputs, strict=True))
        arithmetic = at_zero([2.0**-10 / 3, *inputs, float(-total)], [*signs, 1])
        vertex, floats = arithmetic._vertex, arithmetic._floats
        assert vertex is not None
        assert floats is not None
        (true,) = [oracle.to_fraction(m) for m in ExactRegression(arithmetic.regression, [0]).multipliers_of([0], {})]
        error = abs(Fraction(float(vertex.priced.multipliers[0])) - true)
        assert error <= Fraction(float(vertex.priced.errors[0]))
        floats.gradient_error[:] = 0.0
        needed += error > Fraction(float(price(floats, vertex.at, vertex.signs).errors[0]))
    assert needed


def test_the_linear_term_s_rounding_is_needed() -> None:
    """Where the linear term is far larger than the rows, its rounding is more than the rows' part of the bound."""
    source, needed = random.Random(3), 0
    for _ in range(20):
        inputs = [[source.uniform(-1, 1)] for _ in range(4)]
        slope = Fraction(source.randint(1, 99), 101)
        loss = Loss.two_slope([slope], [slope + Fraction(1, 10**9)])
        targets = [[0.0], [1.0], [-1.0], [2.0]]
        instance = Instance.create([([[0]], None)], inputs, targets, loss=loss)
        arithmetic = FilteredRegression(Regression.of_unit(IntegerProblem.from_instance(instance), 0), [0])
        vertex, floats = arithmetic._vertex, arithmetic._floats
        assert vertex is not None
        assert floats is not None
        assert floats.pull is not None
        pull = sum(Fraction(x) for (x,) in inputs) * (2 * slope + Fraction(1, 10**9)) * 10**9
        transform = Fraction(float(floats.coordinates.transform[0, 0]))
        error = abs(Fraction(float(floats.pull[0])) - pull * transform)
        assert error <= slack(4) * abs(Fraction(float(floats.pull[0]))) + Fraction(float(floats.pull_error[0]))
        (true,) = [oracle.to_fraction(m) for m in ExactRegression(arithmetic.regression, [0]).multipliers_of([0], {})]
        off = abs(Fraction(float(vertex.priced.multipliers[0])) - true)
        assert off <= Fraction(float(vertex.priced.errors[0]))
        floats.gradient_error[:] = slack(4) * float(np.abs(floats.rows[:4]).sum())
        needed += error > Fraction(float(floats.gradient_error[0]))
    assert needed


def test_the_multipliers_own_rounding_is_needed() -> None:
    """Where the gradient is exact, the multiplier is still rounded, though g - Aλ may vanish in floats."""
    off = 0
    for size in range(3, 60, 2):
        arithmetic = at_zero([float(size), 1.0, 2.0, 4.0], [1, 1, 1])
        vertex, floats = arithmetic._vertex, arithmetic._floats
        assert vertex is not None
        assert floats is not None
        floats.gradient_error[:] = 0.0
        priced = price(floats, vertex.at, vertex.signs)
        error = abs(Fraction(float(priced.multipliers[0])) - Fraction(7, size))
        assert error <= Fraction(float(priced.errors[0]))
        off += error > 0
    assert off


def test_nearly_singular_bases_are_refused() -> None:
    """Rows that are dependent up to the last place have no inverse in floats, whatever LAPACK returns."""
    inputs = [[1.0, 1.0 / 3.0], [3.0, 1.0], [1.0, 2.0], [3.0, 1.0 + 2.0**-52]]
    instance = from_regression(inputs, [0.0, 1.0, 2.0, 3.0], has_bias=False)
    regression = Regression.of_unit(IntegerProblem.from_instance(instance), 0)
    floats = load(regression)
    assert floats is not None
    for basis in ([0, 1], [1, 3], [1, 1]):
        assert invert(floats, basis) is None
    assert invert(floats, [0, 2]) is not None


def check_defects(floats: FloatRegression, at: Inverse) -> None:
    """Compares |I - R A| with its bounds, for the rows as they are in floats."""
    rows = exact(floats.rows[at.places])
    defect = [
        [(i == j) - sum(a * row[j] for a, row in zip(own, rows, strict=True)) for j in range(len(rows))]
        for i, own in enumerate(exact(at.inverse))
    ]
    assert exact(at.rows) == rows
    assert max(sum(map(abs, row)) for row in defect) <= Fraction(at.row_defect)
    assert max(sum(map(abs, column)) for column in zip(*defect, strict=True)) <= Fraction(at.column_defect)


@pytest.mark.parametrize("family", ["generic", "collinear", "integers"])
def test_exchanged_inverses(monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """Updated a hundred times an inverse keeps its defect small and below its bounds; a drifted one is made anew."""
    instance = random_instance(60, 3, 2, family=family)
    regression = Regression.of_unit(IntegerProblem.from_instance(instance), 0)
    floats, source = load(regression), random.Random(0)
    assert floats is not None
    at = invert(floats, [0, 20, 40, floats.count])
    assert at is not None
    updated = 0
    for turn in range(100):
        slot, entering = source.randrange(4), source.randrange(floats.count + 4)
        after = exchange(floats, at, slot, entering)
        places = [entering if index == slot else place for index, place in enumerate(at.places.tolist())]
        anew = invert(floats, places)
        if after is None:
            assert anew is None
            continue
        assert anew is not None
        assert after.places.tolist() == places
        if not turn % 10:
            check_defects(floats, after)
        with monkeypatch.context() as patch:
            patch.setattr(regression_bounds, "_DRIFTED", 0.0)
            again = exchange(floats, at, slot, entering)
            assert again is not None
            assert (again.inverse == anew.inverse).all()
        updated += not (after.inverse == anew.inverse).all()
        at = after
    assert updated > 50
    assert exchange(floats, at, 0, int(at.places[1])) is None


def exact_defects(floats: FloatRegression, at: Inverse) -> tuple[Fraction, Fraction]:
    """Returns the greatest sums of rows and columns of |I - R A|, for the rows as they are in floats."""
    rows = exact(floats.rows[at.places])
    columns = list(zip(*rows, strict=True))
    defect = [
        [(i == j) - sum(a * b for a, b in zip(own, column, strict=True)) for j, column in enumerate(columns)]
        for i, own in enumerate(exact(at.inverse))
    ]
    return max(sum(map(abs, row)) for row in defect), max(sum(map(abs, c)) for c in zip(*defect, strict=True))


@pytest.mark.parametrize("family", ["generic", "collinear", "integers"])
def test_carried_bounds_of_defects(monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """Carried over exchanges the bounds enclose the exact defects; kept as they were they would not."""
    monkeypatch.setattr(regression_bounds, "_FEW", 0)
    monkeypatch.setattr(regression_bounds, "_CARRIED", 0.25)
    carried, exceeded = 0, 0
    plain = regression_bounds._carry
    for seed in range(3):
        floats = load(Regression.of_unit(IntegerProblem.from_instance(random_instance(60, 5, seed, family=family)), 0))
        assert floats is not None
        source = random.Random(seed)
        at = invert(floats, [0, 12, 24, 36, 48, floats.count])
        assert at is not None
        fixed = at
        for _ in range(60):
            slot, entering = source.randrange(6), source.randrange(floats.count)
            if entering in at.places:
                continue
            monkeypatch.setattr(regression_bounds, "_carry", plain)
            after = exchange(floats, at, slot, entering)
            if after is None:
                continue
            by_rows, by_columns = exact_defects(floats, after)
            assert by_rows <= Fraction(after.row_defect)
            assert by_columns <= Fraction(after.column_defect)
            carried += after.row_defect > 4.0 * at.row_defect
            # the same exchanges, with the bounds of the first inverse
            monkeypatch.setattr(regression_bounds, "_carry", keep)
            kept = exchange(floats, fixed, slot, entering)
            if kept is not None:
                exceeded += exact_defects(floats, kept)[0] > Fraction(kept.row_defect)
                fixed = kept
            at = after
    assert carried > 10
    assert exceeded


def keep(
    floats: FloatRegression,
    at: Inverse,
    _: int,
    places: np.ndarray,
    update: tuple[np.ndarray, np.ndarray, object, object],
) -> Inverse:
    """Returns what `_carry` does, with bounds that do not grow."""
    rows, inverse, _products, _pivot = update
    return replace(
        at,
        places=places,
        rows=rows,
        reach_errors=floats.reach_errors.take(places),
        inverse=inverse,
        sizes=np.abs(inverse),
    )


@pytest.mark.parametrize("part", ["the defect before", "rounding of v", "rounding of the update"])
def test_each_part_of_a_carried_bound_is_needed(part: str) -> None:
    """The identity E' = E - (R e_s)(a E - δ A)/v_s - F A' holds exactly, and each of its terms may be the greatest."""
    source = random.Random(4)
    greatest = 0
    for _ in range(200):
        rows = [[source.randint(-8, 8) * 1.0 for _ in range(3)] for _ in range(3)]
        entering = [source.uniform(-1, 1) * 2.0 ** source.choice([-20, 0, 20]) for _ in range(3)]
        try:
            inverse = np.linalg.inv(np.array(rows))
        except np.linalg.LinAlgError:
            continue
        if part == "the defect before":
            inverse = inverse * (1 + 2.0**-30)
        products = np.array(entering) @ inverse
        if abs(products[1]) < 2.0**-60:
            continue
        pivot, after = float(products[1]), [*rows[:1], entering, *rows[2:]]
        shifted = products.copy()
        shifted[1] -= 1.0
        updated = inverse - np.multiply.outer(inverse[:, 1] / pivot, shifted)
        r, a, b = exact(inverse), exact(np.array(rows)), exact(np.array(after))
        e = [[(i == j) - sum(r[i][k] * a[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
        found = exact(updated)
        true = [[(i == j) - sum(found[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
        v = [Fraction(float(p)) for p in products]
        delta = [v[j] - sum(b[1][k] * r[k][j] for k in range(3)) for j in range(3)]
        p = [[(i == j) - (i == 1) * (v[j] - (j == 1)) / v[1] for j in range(3)] for i in range(3)]
        f = [[found[i][j] - sum(r[i][k] * p[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
        terms = {
            "the defect before": [
                [e[i][j] - r[i][1] * sum(b[1][k] * e[k][j] for k in range(3)) / v[1] for j in range(3)]
                for i in range(3)
            ],
            "rounding of v": [
                [r[i][1] * sum(delta[k] * a[k][j] for k in range(3)) / v[1] for j in range(3)] for i in range(3)
            ],
            "rounding of the update": [[-sum(f[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)],
        }
        for i in range(3):
            for j in range(3):
                assert sum(term[i][j] for term in terms.values()) == true[i][j]
        sizes = {name: max(sum(map(abs, row)) for row in term) for name, term in terms.items()}
        greatest += max(sizes, key=lambda name: sizes[name]) == part
    assert greatest > 5


def test_a_drifted_inverse_is_improved() -> None:
    """An inverse that is off by more than what is accepted is made accurate by Newton's step, not anew."""
    instance = random_instance(60, 3, 2)
    floats = load(Regression.of_unit(IntegerProblem.from_instance(instance), 0))
    assert floats is not None
    at = invert(floats, [0, 20, 40, floats.count])
    assert at is not None
    drifted = replace(at, inverse=at.inverse * (1.0 + 2.0**-20))
    after = exchange(floats, drifted, 1, 30)
    anew = invert(floats, [0, 30, 40, floats.count])
    assert after is not None
    assert anew is not None
    check_defects(floats, after)
    assert after.row_defect < 2.0**-30
    assert not (after.inverse == anew.inverse).all()
    # far off, it is made anew
    lost = exchange(floats, replace(at, inverse=at.inverse * 3.0), 1, 30)
    assert lost is not None
    assert (lost.inverse == anew.inverse).all()


def test_blas_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many columns BLAS is held to one thread while a walk decides, and let go after it; the steps are the same."""
    infos = []
    plain = long_step.decide

    def decide(arithmetic: FilteredRegression) -> object:
        infos.append({info["num_threads"] for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"})
        return plain(arithmetic)

    instance = random_instance(140, 64, 1)
    before = threadpoolctl.threadpool_info()
    with monkeypatch.context() as patch:
        patch.setattr(long_step, "decide", decide)
        steps = list(Walk(instance, rule="long-step"))
    assert infos
    assert all(threads == {1} for threads in infos)
    assert threadpoolctl.threadpool_info() == before
    monkeypatch.setattr(threads, "_SMALL", 10**6)
    walk = Walk(instance, rule="long-step")
    assert list(walk) == steps
    assert walk.counts is not None
    assert walk.counts.steps[1] == 0


def test_a_refused_vertex_proposes_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every second proposal is any member, floats still find all steps."""
    instance = random_instance(30, 3, 4)
    steps = list(Walk(instance, rule="long-step"))
    plain, source = regression_filtered._propose, random.Random(0)
    calls = [0]

    def propose(floats: FloatRegression, vertex: Vertex, slot: int, side: int) -> int | None:
        calls[0] += 1
        if calls[0] % 2:
            return plain(floats, vertex, slot, side)
        return source.choice(sorted(set(range(floats.count)).difference(vertex.at.places.tolist())))

    monkeypatch.setattr(regression_filtered, "_propose", propose)
    walk = Walk(instance, rule="long-step")
    assert list(walk) == steps
    assert walk.counts is not None
    assert walk.counts.steps[1] == 0


def test_a_slope_of_zero_does_not_fall() -> None:
    """Where the slope at infinity is 0, floats compute less than that now and then, and the bound forbids it."""
    source, below = random.Random(2), 0
    for _ in range(200):
        rows = np.array([[source.uniform(0.1, 1)] for _ in range(6)])
        pull = -np.array([float(sum(Fraction(value) for (value,) in rows.tolist()))])
        zeros = np.zeros(7)
        floats = from_rows(np.vstack([rows, [[1.0]]]), zeros, (zeros, zeros), (pull, np.zeros(1)), None)
        at = invert(floats, [0])
        assert at is not None
        direction = at.inverse[:, 0]
        sizes = np.abs(floats.times(direction)[1:6])
        slope = sum(Fraction(value) for (value,) in rows.tolist()) + Fraction(float(pull[0]))
        # the rounded sum is not below the true one
        if slope >= 0:
            below += float(pull @ direction) + float(sizes.sum()) + 1.0 < 0.0
            assert not falls_forever(floats, at, 0, 1)
    assert below


@pytest.mark.parametrize("family", ["integers", "near ties"])
def test_falling_forever_is_true(family: str) -> None:
    """Along every edge of random bases of local problems: what floats say of the slope at infinity is exactly so."""
    said = {True: 0, False: 0}
    for seed in range(6):
        instance = random_instance(40, 2, seed, family=family)
        walk = Walk(instance, rule="long-step")
        walk.run()
        source, regression = random.Random(seed), Regression.of_unit(walk.problem, 0)
        for _ in range(40):
            basis = source.sample(range(regression.count), 3)
            if not ExactRegression.is_basis(regression, basis):
                continue
            parent = FilteredRegression(regression, basis)
            if len(parent.vanishing()) < 3:
                continue
            local = parent.local()
            own = source.sample(range(local.regression.count), 3)
            if not ExactRegression.is_basis(local.regression, own):
                continue
            for leaving in own:
                for side in (-1, 1):
                    local.rebase(own)
                    assert local._vertex is not None
                    assert local._floats is not None
                    falls = falls_forever(local._floats, local._vertex.at, own.index(leaving), side)
                    # a linear term may also make the loss fall from the start, or rise
                    slope = sum(
                        (a * b for a, b in zip(exact_pull(local), exact_edge(local, leaving, side), strict=True)),
                        Fraction(0),
                    ) + sum(exact_rates(local, leaving, side), Fraction(0))
                    assert not falls or slope < 0
                    assert falls or slope > -UNIT * 2**20
                    said[falls] += 1
    assert said[True] > 5
    assert said[False] > 10


def exact_edge(local: FilteredRegression, leaving: int, side: int) -> list[Fraction]:
    """Returns the edge along which a true residual of the basis changes by one, over Fractions."""
    rows = [true_row(local, place) for place in local.basis]
    inverse = oracle.inverse(rows)
    assert inverse is not None
    slot = local.basis.index(leaving)
    return [side * row[slot] for row in inverse]


def true_row(local: FilteredRegression, place: int) -> list[Fraction]:
    """Returns a true normal."""
    regression = local.regression
    factor = Fraction(int(regression.weights[place]), int(regression.problem.loss_scale))
    return [int(entry) * factor for entry in regression.row(place)]


def exact_pull(local: FilteredRegression) -> list[Fraction]:
    """Returns the true linear term."""
    return [Fraction(int(entry), int(local.regression.problem.loss_scale)) for entry in local.regression.pull]


def exact_rates(local: FilteredRegression, leaving: int, side: int) -> list[Fraction]:
    """Returns the sizes of all members' true rates along an edge."""
    edge = exact_edge(local, leaving, side)
    return [abs(oracle.dot(true_row(local, place), edge)) for place in range(local.regression.count)]


def test_a_wrong_proposal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever member is proposed, the walk is the same: confirmation does not trust it."""
    instance = random_instance(30, 3, 4)
    plain = Walk(instance, rule="long-step")
    steps = list(plain)
    source = random.Random(0)

    def propose(floats: FloatRegression, vertex: Vertex, slot: int, side: int) -> int | None:
        del slot, side
        moving = sorted(set(range(floats.count)).difference(vertex.at.places.tolist()))
        return source.choice(moving) if source.random() < 0.9 else None

    monkeypatch.setattr(regression_filtered, "_propose", propose)
    walk = Walk(instance, rule="long-step")
    assert list(walk) == steps
    assert walk.counts is not None
    assert walk.counts.steps[1] > 0


def test_unsure_signs_are_left_open() -> None:
    """At random bases of integer data, full of ties: what vanishes is unsure and has no sign, all else has its own."""
    instance = random_instance(30, 2, 0, family="integers")
    regression = Regression.of_unit(IntegerProblem.from_instance(instance), 0)
    floats, source, ties = load(regression), random.Random(0), 0
    assert floats is not None
    for _ in range(60):
        basis = source.sample(range(regression.count), 3)
        if ExactRegression.is_basis(regression, basis):
            at = invert(floats, basis)
            assert at is not None
            found, unsure = certain_signs(floats, at, locate(floats, at))
            assert not found[regression.count :].any()
            assert found[: regression.count].astype(int).tolist() == ExactRegression(regression, basis).signs()
            ties += len(unsure)
    assert ties


def test_a_bound_of_zero_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the bounds of the residuals' errors, ties of integer data would be taken for signs."""
    instance = random_instance(30, 2, 0, family="integers")
    regression = Regression.of_unit(IntegerProblem.from_instance(instance), 0)
    plain = regression_filtered.certain_signs

    def certain(floats: FloatRegression, at: Inverse, located: Located) -> tuple[np.ndarray, list[int]]:
        for errors in (floats.reach_errors, floats.fixed_errors, floats.spreads):
            errors[:] = 0.0
        floats._greatest = 0.0, 0.0, 0.0
        return plain(floats, at, located)

    monkeypatch.setattr(regression_filtered, "certain_signs", certain)
    wrong = 0
    source = random.Random(0)
    for _ in range(60):
        basis = source.sample(range(regression.count), 3)
        if ExactRegression.is_basis(regression, basis):
            found = FilteredRegression(regression, basis)
            wrong += found._vertex is not None and found.signs() != ExactRegression(regression, basis).signs()
    assert wrong


def test_numbers_out_of_range_are_not_loaded() -> None:
    """Inputs, targets and starts beyond 2^±200 have no float form; all else has."""
    for place in ("input", "target", "start"):
        for exponent, is_loaded in ((199, True), (201, False), (-199, True), (-201, False)):
            huge = Fraction(2) ** exponent
            inputs = [[huge if place == "input" else 1], [2], [3]]
            targets = [[huge if place == "target" else 1], [1], [5]]
            start = [[huge if place == "start" else 1, 0]]
            instance = Instance.create([([[0]], [0])], inputs, targets, start=start)
            regression = Regression.of_unit(IntegerProblem.from_instance(instance), 0)
            assert (load(regression) is not None) == is_loaded
