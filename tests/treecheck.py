"""Checks a tree's witness over Fractions, without exactdrl and without a solver: proofs/minimality-tree.md, step by step."""

from collections.abc import Sequence
from fractions import Fraction

import oracle
from oracle import ZERO, Kink, LocalForm, Problem, Row, to_fraction


def check_tree(problem: Problem, theta: Sequence[Sequence[Fraction]], witness: object, *, is_strict: bool) -> None:
    """Raises AssertionError unless the witness proves a (strict) local minimum at theta."""
    form = reduce_form(oracle.local_form(problem, theta))
    settled = {tuple(kink): to_fraction(value) for kink, value in witness.settled}
    assert len(settled) == len(witness.settled)
    left, gradient, weights = remove_settled(form, settled)
    check_partition(problem, form, witness, left, gradient)
    for block in witness.blocks:
        columns = [u * problem.m + c for u in block.units for c in range(problem.m)]
        check_tree_of_signs(block)
        rank = oracle.rank([[form.linear[k][c] for c in columns] for k in map(tuple, block.kinks)])
        for leaf in block.leaves:
            strict = check_leaf(form, block, leaf, columns, [gradient[c] for c in columns], weights)
            if is_strict and not leaf.is_empty:
                assert oracle.rank([[form.linear[k][c] for c in columns] for k in strict]) == rank
    if is_strict:
        resting = set(left)
        for r in sorted(settled):
            if abs(settled[r]) < weights[r] and set(form.absolute[r]) <= resting:
                resting.add(r)
        assert not problem.lineality
        assert oracle.rank([form.linear[k] for k in sorted(resting)]) == problem.n


def remove_settled(form: LocalForm, settled: dict[Kink, Fraction]) -> tuple[list[Kink], Row, dict[Kink, Fraction]]:
    """Checks the settled kinks; returns the other kinks, the slope and the weights without them."""
    assert set(settled) <= set(form.active)
    left = [k for k in form.active if k not in settled]
    gradient = list(form.gradient)
    weights = dict(form.weights)
    for r, multiplier in settled.items():
        gradient = [g - multiplier * a for g, a in zip(gradient, form.linear[r], strict=True)]
        for k, fold in form.absolute[r].items():
            weights[k] -= multiplier * fold
    for r, multiplier in settled.items():
        assert abs(multiplier) <= weights[r]
    for k in left:
        assert not set(form.absolute[k]) & set(settled), "a settled kink is folded by one that is left"
    return left, gradient, weights


def reduce_form(form: LocalForm) -> LocalForm:
    """Returns the form after section 5's reductions: (i) and (ii) in address order, then (iii) from the deepest kink up.

    Which kinks remain depends on this order, and the witness names kinks.
    """
    kept: list[Kink] = []
    linear, weights = dict(form.linear), dict(form.weights)
    absolute: dict[Kink, dict[Kink, Fraction]] = {}
    size: dict[Kink, tuple[Kink, Fraction] | None] = {}
    for q in form.active:
        fold: dict[Kink, Fraction] = {}
        for k, value in form.absolute[q].items():
            if size[k] is not None:
                leader, factor = size[k]
                fold[leader] = fold.get(leader, ZERO) + factor * value
        absolute[q] = {k: value for k, value in fold.items() if value != 0}
        same = next((p for p in kept if ratio(linear, absolute, p, q) is not None), None)
        if not any(linear[q]) and not absolute[q]:
            size[q] = None
        elif same is not None:
            size[q] = (same, abs(ratio(linear, absolute, same, q)))
            weights[same] += size[q][1] * weights[q]
        else:
            size[q] = (q, Fraction(1))
            kept.append(q)
    for k in reversed(list(kept)):
        if weights[k] == 0 and not any(k in absolute[j] for j in kept):
            kept.remove(k)
    return LocalForm(kept, linear, absolute, weights, form.gradient)


def ratio(linear: dict[Kink, Row], absolute: dict[Kink, dict[Kink, Fraction]], p: Kink, q: Kink) -> Fraction | None:
    """Returns α with (Z_q, L_q) = α (Z_p, L_p), None if there is none but 0."""
    keys = sorted({*absolute[p], *absolute[q]})
    a, b = ([*linear[j], *(absolute[j].get(k, ZERO) for k in keys)] for j in (p, q))
    lead = next(i for i, value in enumerate(a) if value != 0)
    alpha = b[lead] / a[lead]
    return alpha if alpha != 0 and all(y == alpha * x for x, y in zip(a, b, strict=True)) else None


def check_partition(problem: Problem, form: LocalForm, witness: object, left: list[Kink], gradient: Row) -> None:
    """The blocks share no unit and no kink, hold all kinks that are left, and the slope."""
    units = [u for block in witness.blocks for u in block.units]
    assert len(set(units)) == len(units)
    assert sorted(tuple(k) for block in witness.blocks for k in block.kinks) == sorted(left)
    for block in witness.blocks:
        own = [tuple(k) for k in block.kinks]
        assert own == sorted(own)
        for k in own:
            assert set(form.absolute[k]) <= set(own)
            assert all(a == 0 or c // problem.m in block.units for c, a in enumerate(form.linear[k]))
    assert all(g == 0 or c // problem.m in units for c, g in enumerate(gradient))


def check_tree_of_signs(block: object) -> None:
    """The leaves are those of a tree: FORMAT.md, section 5, item 6, by its own recursion."""
    signs = [{tuple(k): s for k, s in leaf.signs} for leaf in block.leaves]
    for leaf, own in zip(block.leaves, signs, strict=True):
        assert len(own) == len(leaf.signs)
        assert set(own) <= {tuple(k) for k in block.kinks}
        assert set(own.values()) <= {1, -1}
    assert is_tree_of_signs(signs), "the leaves are not those of a tree"


def is_tree_of_signs(leaves: list[dict[Kink, int]]) -> bool:
    """Returns whether there is one leaf without a sign, or a kink splits the leaves into two such trees."""
    if len(leaves) == 1:
        return not leaves[0]
    shared = sorted(set.intersection(*map(set, leaves))) if leaves else []
    split = next((k for k in shared if {leaf[k] for leaf in leaves} == {1, -1}), None)
    return split is not None and all(
        is_tree_of_signs([{k: s for k, s in leaf.items() if k != split} for leaf in leaves if leaf[split] == side])
        for side in (1, -1)
    )


def check_leaf(
    form: LocalForm, block: object, leaf: object, columns: list[int], slope: Row, weights: dict[Kink, Fraction]
) -> list[Kink]:
    """The linear conditions; returns the kinks with a strict one, closed under folds."""
    kinks = [tuple(k) for k in block.kinks]
    signs = {tuple(k): s for k, s in leaf.signs}
    value = dict(zip(kinks, map(to_fraction, leaf.multipliers), strict=True))
    scale = 0 if leaf.is_empty else 1
    for column, goal in zip(columns, slope, strict=True):
        assert sum((value[k] * form.linear[k][column] for k in kinks), ZERO) == scale * goal
    c = {j: scale * weights[j] - sum((form.absolute[k].get(j, ZERO) * value[k] for k in kinks), ZERO) for j in kinks}
    slack = {j: signs[j] * value[j] + c[j] if j in signs else c[j] - abs(value[j]) for j in kinks}
    rests = {j for j in kinks if is_at_rest(form, signs, j)}
    assert all(s >= 0 for j, s in slack.items() if j not in rests)
    if leaf.is_empty:
        assert any(slack[j] > 0 and any(cone_row(form, signs, j) or [0]) for j in signs), "not shown to be empty"
    strict: list[Kink] = []
    for j in kinks:
        if (slack[j] > 0 or j in rests) and set(form.absolute[j]) <= set(strict):
            strict.append(j)
    return strict


def cone_row(form: LocalForm, signs: dict[Kink, int], kink: Kink) -> Row | None:
    """Returns the row by which a kink is linear on the cone; None if the cone does not fix all that it folds."""
    row = list(form.linear[kink])
    for k, fold in form.absolute[kink].items():
        below = cone_row(form, signs, k)
        if below is None or (k not in signs and any(below)):
            return None
        row = [a + fold * signs.get(k, 0) * b for a, b in zip(row, below, strict=True)]
    return row


def is_at_rest(form: LocalForm, signs: dict[Kink, int], kink: Kink) -> bool:
    """Returns whether a kink is 0 on the whole cone."""
    row = cone_row(form, signs, kink)
    return row is not None and not any(row)
