"""Finds the verdict on any point: between vertices, inside a cell, or on a vertex."""

from collections.abc import Callable
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.local_form import localise
from exactdrl.cells.point import Point
from exactdrl.cells.reach import localisation_radius
from exactdrl.exact.linear import independent_rows, project_out, to_integers
from exactdrl.exact.rationals import InputError
from exactdrl.minimality.judge import DEFAULT_BUDGET, judge
from exactdrl.minimality.verdict import Verdict
from exactdrl.problem.instance import Instance, Matrix


@dataclass(frozen=True, slots=True)
class JudgedPoint:
    """A point and what is known of it.

    Attributes:
        problem: the instance, scaled.
        verdict: on the point.
        loss: at the point.
        active: how many kinks are active.
        freedom: the dimension of the face of the local arrangement that holds the point: n minus the rank of the active
            kinks. 0 at a vertex, n inside a cell.
        is_stationary: whether the loss has no slope along that face.
        radius: the local form is the loss for all changes smaller than this in every parameter; None for no bound.
    """

    problem: IntegerProblem
    verdict: Verdict
    loss: mpq
    active: int
    freedom: int
    is_stationary: bool
    radius: mpq | None


def judge_point(
    instance: Instance,
    parameters: Matrix | None = None,
    *,
    budget: int = DEFAULT_BUDGET,
    on_node: Callable[[int], None] | None = None,
) -> JudgedPoint:
    """Judges a point of an instance. Exact.

    Args:
        instance: the problem.
        parameters: the point, shape (n_ℓ, m); default: the start. Outside the pivot columns (proofs/FORMAT.md, section
            3) all parameters are equivalent to others with the start's values, and the point is judged there.
        budget: how much work each tree may take, see `judge`.
        on_node: called with the number of the trees' nodes so far.

    Raises:
        InputError: the loss falls forever along a direction that changes no kink; that is no question about a vertex.
    """
    problem = IntegerProblem.from_instance(instance)
    if problem.reduction.ray is not None:
        raise InputError("the loss falls forever along a direction that changes no kink: `exactdrl judge` shows it")
    point = Point.of(problem, instance.start if parameters is None else parameters)
    values, denominator = point.values, point.denominator
    form = localise(problem, values)
    rows = [to_integers(row)[0] for row in form.rows]
    basis = independent_rows(rows, problem.dimension)
    loss = point.loss
    verdict = judge(problem, values, denominator=denominator, loss=loss, budget=budget, on_node=on_node)
    return JudgedPoint(
        problem,
        verdict,
        loss,
        len(form.kinks),
        problem.dimension - len(basis),
        not any(project_out([rows[index] for index in basis], to_integers(form.slope)[0])),
        localisation_radius(problem, values, denominator),
    )
