"""Degenerate vertices that can be seen in a certificate without arithmetic: those where a whole unit is 0.

Let m be the number of free parameters of a hidden unit of the trained layer. Where m independent kinks of the unit
meet, the unit's parameters are 0, so that all of its kinks meet. If there are more than m samples, more than n kinks
are then active. With random data degeneracy arises in this way: the parameters for which a unit is off on every sample
form a cone, which has one vertex. Finding other degenerate vertices needs a scan of all kinks, so that these are not
counted.
"""

from collections import Counter

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate


def count_zero_units(problem: IntegerProblem, certificate: Certificate) -> int:
    """Returns at how many of the vertices v_0..v_S a hidden unit of the trained layer is 0, so that all its kinks meet.

    It returns 0 where the trained layer is the last, whose kinks are residuals, and where there are not more samples
    than parameters of a unit.
    """
    instance = problem.instance
    if instance.layer == len(instance.layers) or problem.samples <= problem.rank:
        return 0
    # the bases follow from the lines without the patterns, and the zero units from the numbers of kinks of each unit
    layer, rank = instance.layer, problem.rank
    own = Counter(kink.unit for kink in certificate.first.basis if kink.layer == layer)
    count = int(rank in own.values())
    for step in certificate.steps:
        if step.basis is not None:
            own = Counter(kink.unit for kink in step.basis if kink.layer == layer)
        if step.leaving.layer == layer:
            own[step.leaving.unit] -= 1
        if step.entering.layer == layer:
            own[step.entering.unit] += 1
        count += rank in own.values()
    return count
