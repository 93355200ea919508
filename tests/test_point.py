"""Points and cells as objects: losses, signs, membership, the cell's affine function and its emptiness."""

import strategies
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from ppl import C_Polyhedron, Linear_Expression

from exactdrl.cells.affine import affine_form
from exactdrl.cells.cell import Cell
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.point import Point


def moved(instance, shifts):
    entries = iter(shifts)
    return [[value + mpq(next(entries), 3) for value in row] for row in instance.start]


@strategies.examples(60)
@given(strategies.instances(), st.lists(st.integers(-6, 6), min_size=40, max_size=40))
def test_points_and_cells(instance, shifts):
    """A point's loss is the forward pass'; its cell holds it, and the cell's affine function is the loss there."""
    problem = IntegerProblem.from_instance(instance)
    for parameters in (instance.start, moved(instance, shifts)):
        point = Point.of(problem, parameters)
        assert point.loss == instance.loss_of(point.parameters) == instance.loss_of(parameters)
        cell = Cell.around(point)
        assert cell.holds(point)
        assert cell.loss_at(point) == point.loss
        assert point.is_same(Point.at(problem, point.reduced))
        for kink in point.vanishing:
            assert point.vanishes(kink)
            across = point.pattern
            across.flip(kink)
            # flipping one kink that vanishes leads to a cell that holds the point, too
            other = Cell(problem, across)
            assert other.holds(point)
            assert other.loss_at(point) == point.loss
        for kink, form in cell.inequalities.items():
            value = sum((a * u for a, u in zip(form.row, point.reduced, strict=True)), mpq(form.offset))
            assert value >= 0
            assert (value == 0) == point.vanishes(kink)


@strategies.examples(60)
@given(strategies.instances(max_samples=4), st.integers(0, 10**6))
def test_empty_cells(instance, seed):
    """A cell's point lies in it; a pattern is called empty only if the oracle's polyhedron is."""
    problem = IntegerProblem.from_instance(instance)
    pattern = Point.of(problem, instance.start).pattern
    kinks = list(pattern)
    for bit in range(min(len(kinks), 6)):
        if seed >> bit & 1:
            pattern.flip(kinks[(seed + 7 * bit) % len(kinks)])
    cell = Cell(problem, pattern)
    found = cell.find_point()
    if found is not None:
        assert cell.holds(found)
        return
    assert is_empty(problem.dimension, [signed(problem, pattern, kink) for kink in kinks])


def signed(problem, pattern, kink):
    form = affine_form(problem, pattern, kink)
    sign = 1 if pattern.is_on(kink) else -1
    return [sign * int(a) for a in form.row], sign * int(form.offset)


def is_empty(dimension, forms) -> bool:
    """Whether no point has all row · u + offset ≥ 0, by PPL."""
    polyhedron = C_Polyhedron(dimension, "universe")
    for row, offset in forms:
        if any(row):
            polyhedron.add_constraint(Linear_Expression(row, offset) >= 0)
        elif offset < 0:
            return True
    return polyhedron.is_empty()
