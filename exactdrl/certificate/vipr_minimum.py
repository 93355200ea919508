"""Writes a local minimum as VIPR certificates, one for each leaf of its tree of slopes.

On a leaf of the tree (`minimality.slopes`) a local minimum of any layer is a linear program. Let d be the change of the
parameters, z_k that of a kink k that vanishes at the point, and a_k that of its activation. For small d the loss
changes by g · d + Σ_k β_k a_k, and z_k = Z_k · d + Σ_j M_kj a_j. On a leaf, a kink with a sign has a_k = above · z_k
and z_k >= 0, or a_k = below · z_k and z_k <= 0; one without has a_k on the inner side of both lines. The least change
is 0, since the slopes of the leaf are multipliers. The leaves' signs are those of a tree, so that they cover all d.
"""

from collections.abc import Iterator, Mapping, Sequence

from gmpy2 import mpq

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import final_vertex
from exactdrl.certificate.vipr import Row, sparse
from exactdrl.exact.rationals import InputError
from exactdrl.minimality.slopes import (
    DEFAULT_NODES,
    Expression,
    SlopeLeaf,
    VanishingKink,
    find_slopes,
    leaves,
    localise_slopes,
)
from exactdrl.problem.instance import Instance, Matrix

_ZERO, _ONE = mpq(0), mpq(1)


def vipr_of_minimum(instance: Instance, certificate: Certificate, *, nodes: int = DEFAULT_NODES) -> list[list[str]]:
    """Returns the lines of VIPR certificates that together show the last vertex of a walk to be a local minimum.

    Args:
        instance: the problem, with one trained layer and a loss of two slopes.
        certificate: of a walk on it, which ended in a minimum.
        nodes: how many linear programs the tree may take.

    Returns:
        A list for each leaf of a tree that splits the neighbourhood by signs of kinks.

    Raises:
        InputError: the last vertex is no local minimum, or no slopes that prove it are found.
    """
    problem = IntegerProblem.from_instance(instance)
    vertex = ExactArithmetic(problem, *final_vertex(problem, certificate)).vertex()
    return leaf_programs(instance, problem.to_full(vertex), nodes=nodes)


def leaf_programs(instance: Instance, parameters: Matrix, *, nodes: int = DEFAULT_NODES) -> list[list[str]]:
    """Returns the lines of VIPR certificates that together show a point to be a local minimum.

    Args:
        instance: the problem, with one trained layer and a loss of two slopes.
        parameters: the point, shape (n_ℓ, m).
        nodes: how many linear programs the tree may take.

    Raises:
        InputError: the point is no local minimum, or no slopes that prove it are found.
    """
    tree = find_slopes(instance, parameters, nodes=nodes)
    if tree is None:
        raise InputError(f"VIPR: no slopes prove that the point is a local minimum within {nodes} linear programs")
    kinks, balance = localise_slopes(instance, parameters)
    flat = [expression for row in balance for expression in row]
    return [list(_leaf_lines(kinks, flat, signs, leaf)) for signs, leaf in leaves(tree)]


def _leaf_lines(
    kinks: Sequence[VanishingKink], balance: Sequence[Expression], signs: Mapping[Kink, int], leaf: SlopeLeaf
) -> Iterator[str]:
    """Yields the linear program on a leaf, and why its least value is 0.

    Variables are d, then z and a of each kink; rows are first those of signs, two for each kink and each with one
    variable or two, then the kinks' own.
    """
    size, count = len(balance), len(kinks)
    of_z = {one.kink: size + 2 * place for place, one in enumerate(kinks)}
    bounds: list[str] = []
    limits: list[str] = []
    own: list[str] = []
    derived: Row = []
    multipliers: dict[int, tuple[mpq, ...]] = {}
    for place, one in enumerate(kinks):
        z, a = of_z[one.kink], of_z[one.kink] + 1
        m = leaf.slopes.get(one.kink, _ZERO)
        y = sum((c * (_ONE if key is None else leaf.slopes.get(key, _ZERO)) for key, c in one.arriving.items()), _ZERO)
        side = signs.get(one.kink)
        if side is None:
            sense = "G" if one.below < one.above else "L"
            gap = one.above - one.below
            lines = [f"{sense} 0 {sparse([(z, -slope), (a, _ONE)])}" for slope in (one.below, one.above)]
            limits += [f"B{place} {lines[0]}", f"A{place} {lines[1]}"]
            multipliers[place] = ((one.above * y - m) / gap, (m - one.below * y) / gap)
        else:
            slope, sense = (one.above, "G") if side > 0 else (one.below, "L")
            bounds.append(f"S{place} {sense} 0 1 {z} 1")
            limits.append(f"A{place} E 0 {sparse([(z, -slope), (a, _ONE)])}")
            multipliers[place] = (y, slope * y - m)
        row = [(column, -e[one.kink]) for column, e in enumerate(balance) if one.kink in e]
        row += [(of_z[other.kink] + 1, -other.arriving[one.kink]) for other in kinks if one.kink in other.arriving]
        own.append(f"Z{place} E 0 {sparse([*row, (z, _ONE)])}")
    places = {line.split(" ", 1)[0]: index for index, line in enumerate([*bounds, *limits, *own])}
    for place, one in enumerate(kinks):
        first, second = multipliers[place]
        names = (f"B{place}", f"A{place}") if one.kink not in signs else (f"A{place}", f"S{place}")
        derived += [(places[names[0]], first), (places[names[1]], second)]
        derived.append((places[f"Z{place}"], leaf.slopes.get(one.kink, _ZERO)))
    objective = [(column, e.get(None, _ZERO)) for column, e in enumerate(balance)]
    objective += [(of_z[one.kink] + 1, one.arriving.get(None, _ZERO)) for one in kinks]
    yield "VER 1.0"
    yield f"VAR {size + 2 * count}"
    yield " ".join(f"d{column}" for column in range(size))
    if kinks:
        yield " ".join(f"z{'_'.join(map(str, one.kink))} a{'_'.join(map(str, one.kink))}" for one in kinks)
    yield "INT 0"
    yield "OBJ min"
    yield sparse(objective)
    yield f"CON {len(places)} {len(bounds)}"
    yield from (*bounds, *limits, *own)
    yield "RTP range 0 0"
    yield "SOL 1"
    yield "stay 0"
    yield "DER 1"
    yield f"bound G 0 OBJ {{ lin {sparse(derived)} }} -1"
