"""Points of any problem that an instance can say: all losses, activations, depths, weights, what is free; with the checker."""

import random
from itertools import pairwise

import pytest
from gmpy2 import mpq
from test_corpus import load_checker

from exactdrl.certificate.verdict_file import verdict_text
from exactdrl.constructions.snap import snap
from exactdrl.exact.rationals import InputError
from exactdrl.minimality import verdict as one_layer
from exactdrl.minimality.point import judge_point
from exactdrl.points.judge import judge
from exactdrl.points.verdict import Minimum, NotMinimum
from exactdrl.problem.file import to_json_text
from exactdrl.problem.instance import Instance
from exactdrl.problem.loss import Loss

SLOPES = [(0, 1), (1, 1), (-1, 1), (mpq(1, 4), 1), (1, 0), (2, 1)]
TINY = [mpq(1, 2**24), mpq(1, 2**37)]


def random_instance(rng):
    """An instance of version 2 of any kind, small."""
    depth, samples = rng.choice([0, 1, 1, 2, 2, 3]), rng.randint(1, 4)
    widths = [rng.choice([0, 1, 1, 2]), *(rng.randint(1, 3) for _ in range(depth)), rng.choice([1, 1, 2])]
    layers = []
    for below, own in pairwise(widths):
        weight = [[rng.choice([-2, -1, 0, 0, 1, 1, mpq(1, 2)]) for _ in range(below)] for _ in range(own)]
        bias = [rng.choice([-1, 0, 0, 1]) for _ in range(own)] if rng.random() < 0.5 or len(widths) == 2 else None
        layers.append((weight, bias, [list(rng.choice(SLOPES)) for _ in range(own)] if rng.random() < 0.3 else None))
    loss = rng.choice(
        [
            Loss.squared(),
            Loss.squared(),
            Loss.absolute(),
            Loss.pinball(mpq(1, 3)),
            Loss.hinge(),
            Loss.linear(),
            Loss.two_slope([mpq(-2)], [mpq(rng.choice([-1, 0, 1]))]),
        ]
    )
    values = [-1, 1] if loss.kind == "hinge" else [-1, 0, 0, 1, 2]
    return Instance.create(
        layers,
        [[rng.choice([-1, 0, 1, 2]) for _ in range(widths[0])] for _ in range(samples)],
        [[rng.choice(values) for _ in range(widths[-1])] for _ in range(samples)],
        free="all",
        loss=loss,
        weights=[rng.choice([0, 1, 2]) for _ in range(samples)] if rng.random() < 0.2 else None,
    )


def random_layer(rng, instance):
    """A layer that has parameters."""
    return rng.choice([number for number, layer in enumerate(instance.layers, 1) if layer.parameters[0]])


def random_direction(rng, instance, free):
    sparse, sizes = rng.choice([0.2, 0.6, 1]), [1, mpq(1, 8), mpq(1, 64)]
    return [
        [
            [
                mpq(rng.randint(-2, 2)) * rng.choice(sizes)
                if free in {"all", number} and rng.random() < sparse
                else mpq(0)
                for _ in row
            ]
            for row in layer.parameters
        ]
        for number, layer in enumerate(instance.layers, 1)
    ]


def loss_along(instance, direction, t):
    """The loss at the point plus t times a direction, by the instance's own forward pass."""
    return instance.loss_at(
        [
            layer.with_parameters(
                [[a + t * d for a, d in zip(r, s, strict=True)] for r, s in zip(layer.parameters, m, strict=True)]
            )
            for layer, m in zip(instance.layers, direction, strict=True)
        ]
    )


def confirm(rng, instance, free, judged):
    """What a verdict shows, by plain evaluation; and no random line contradicts it."""
    before = instance.loss_at(instance.layers)
    assert judged.loss == before
    match judged.verdict:
        case Minimum(is_strict=strict):
            for _ in range(15):
                direction = random_direction(rng, instance, free)
                assert not all(loss_along(instance, direction, t) < before for t in TINY)
                if strict and any(entry for matrix in direction for row in matrix for entry in row):
                    assert loss_along(instance, direction, TINY[0]) > before
        case NotMinimum(descent):
            assert loss_along(instance, descent.curve[0], descent.at) == descent.loss < before
            assert all(loss_along(instance, descent.curve[0], t) < before for t in TINY)


@pytest.mark.parametrize("part", range(4))
def test_any_problem(tmp_path, part):
    """Every verdict is confirmed by plain evaluation, and accepted by the stand-alone checker."""
    checker = load_checker()
    for seed in range(50 * part, 50 * part + 50):
        rng = random.Random(seed)
        instance = random_instance(rng)
        for free in ("all", random_layer(rng, instance)):
            judged = judge(instance, free=free, budget=400)
            confirm(rng, instance, free, judged)
            (tmp_path / "a.json").write_text(to_json_text(instance), "ascii")
            (tmp_path / "a.verdict").write_text(verdict_text(judged, instance.digest), "ascii")
            checker.check(str(tmp_path / "a.json"), str(tmp_path / "a.verdict"))
        if len(instance.layers) < 3 and seed % 5 == 0:
            found = snap(instance, free=random_layer(rng, instance), tolerances=(mpq(1, 100),), budget=100)
            assert found.best is None or found.best.judged.loss == found.best.loss_change + found.trained.loss


def test_one_layer_agrees_with_the_room_minimality():
    """Losses with two slopes, one layer: both rooms say the same; where one refuses a ray, the other shows it."""
    agreed, rays = 0, 0
    for seed in range(1000, 1300):
        rng = random.Random(seed)
        instance = random_instance(rng)
        if instance.loss.is_squared:
            continue
        instance = instance.with_free(random_layer(rng, instance))
        verdict = judge(instance).verdict
        try:
            other = judge_point(instance).verdict
        except InputError as error:
            if "falls forever" in str(error):
                assert isinstance(verdict, NotMinimum)
                assert verdict.is_unbounded
                rays += 1
            continue
        agreed += 1
        match verdict:
            case Minimum(is_strict=strict):
                assert isinstance(other, one_layer.StrictLocalMinimum if strict else one_layer.LocalMinimum), seed
            case _:
                assert isinstance(verdict, NotMinimum) == isinstance(other, one_layer.NotMinimum), seed
    assert agreed >= 150
    assert rays >= 5


def test_unbounded_losses_fall_forever():
    """Where the verdict is unbounded the loss falls in proportion at any distance; with a floor it never is."""
    seen = 0
    for seed in range(2000, 2300):
        rng = random.Random(seed)
        instance = random_instance(rng)
        judged = judge(instance, free=random_layer(rng, instance))
        if not isinstance(judged.verdict, NotMinimum) or not judged.verdict.is_unbounded:
            continue
        assert not judged.setting.has_floor
        seen += 1
        line, before = judged.verdict.descent.curve[0], judged.loss
        near, far = (loss_along(instance, line, mpq(t)) - before for t in (1, 10**12))
        assert far == near * 10**12 < 0
    assert seen >= 20
