"""Spurious minima that are built, and their valleys, judged by the room that knows nothing of how they were built."""

import random

from gmpy2 import mpq

from exactdrl.constructions.channels import Shape
from exactdrl.constructions.instances import to_instance
from exactdrl.constructions.spurious import build_spurious
from exactdrl.constructions.spurious_end import with_better
from exactdrl.exact.rationals import InputError
from exactdrl.points.judge import judge
from exactdrl.points.setting import find_loss
from exactdrl.points.verdict import AffineProof, MarginProof, Minimum


def test_built_minima_are_judged_minima():
    """One to three hidden layers, both losses: each built point and each point of its valley is proved, most beaten."""
    proofs, beaten = [], 0
    for seed in range(60):
        rng = random.Random(seed)
        outputs, size, depth = rng.choice([1, 1, 2]), rng.choice([1, 2]), rng.choice([1, 1, 2, 3])
        widths = (size, *(outputs + rng.randint(1, 2) for _ in range(depth)), outputs)
        slopes = rng.choice([(mpq(0), mpq(1)), (mpq(1, 4), mpq(1))])
        shape, samples = Shape(widths, slopes, rng.random() < 0.5), rng.randint(3, 6)
        inputs = tuple(tuple(mpq(rng.randint(-4, 4)) for _ in range(size)) for _ in range(samples))
        targets = tuple(tuple(mpq(rng.randint(-3, 3)) for _ in range(outputs)) for _ in range(samples))
        loss = rng.choice(["squared", "absolute"])
        try:
            built = build_spurious(inputs, targets, shape, loss)
        except InputError:
            continue
        judged = with_better(judge(to_instance(built.network, inputs, targets, loss)))
        assert isinstance(judged.verdict, Minimum)
        assert judged.loss == built.loss
        assert judged.is_affine_fit == (loss == "squared")
        proofs.append(type(judged.verdict.proof))
        if judged.better is not None:
            assert find_loss(judged.setting, judged.better) < judged.loss
            beaten += 1
        for point in built.valley[1:]:
            assert isinstance(judge(to_instance(point, inputs, targets, loss)).verdict, Minimum)
    assert proofs.count(AffineProof) >= 10
    assert proofs.count(MarginProof) >= 10
    assert beaten >= 20
