"""Degenerate vertices that show in a certificate without arithmetic: those where a whole unit is 0.

Where m independent kinks of one hidden unit of the trained layer meet, m the number of its free parameters, the unit is
0, and all of its kinks meet: more than n are active if there are more than m samples. With random data
this is how degeneracy arises: a unit that is off on every sample lives in a cone with one vertex. Other degenerate
vertices need a scan of all kinks at each vertex, and are not counted here.
"""

from collections import Counter

from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate


def count_zero_units(problem: IntegerProblem, certificate: Certificate) -> int:
    """Returns at how many of the vertices v_0..v_S a hidden unit of the trained layer is 0, and so all its kinks meet.

    0 where the trained layer is the last (its kinks are residuals), or there are no more samples than parameters.
    """
    instance = problem.instance
    if instance.layer == len(instance.layers) or problem.samples <= problem.rank:
        return 0
    # a basis follows from the lines without its pattern, and zero units from how many of its kinks each unit has
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
