"""Degenerate vertices that show in a certificate without arithmetic: those where a whole unit is 0.

Where m independent kinks of one hidden unit of the trained layer meet, m the number of its free parameters, the unit is
0, and all of its kinks meet: more than n are active if there are more than m samples. With random data
this is how degeneracy arises: a unit that is off on every sample lives in a cone with one vertex. Other degenerate
vertices need a scan of all kinks at each vertex, and are not counted here.
"""

from collections import Counter
from collections.abc import Sequence

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import follow


def count_zero_units(problem: IntegerProblem, certificate: Certificate) -> int:
    """Returns at how many of the vertices v_0..v_S a hidden unit of the trained layer is 0, and so all its kinks meet.

    0 where the trained layer is the last (its kinks are residuals), or there are no more samples than parameters.
    """
    instance = problem.instance
    if instance.layer == len(instance.layers) or problem.samples <= problem.rank:
        return 0
    pattern, basis = problem.pattern_from_hex(certificate.first.pattern), list(certificate.first.basis)
    count = int(_has_zero_unit(basis, instance.layer, problem.rank))
    for step in certificate.steps:
        follow(pattern, basis, step)
        count += _has_zero_unit(basis, instance.layer, problem.rank)
    return count


def _has_zero_unit(basis: Sequence[Kink], layer: int, rank: int) -> bool:
    own = Counter(kink.unit for kink in basis if kink.layer == layer)
    return any(number == rank for number in own.values())
