"""The search by planes: exact values on all rays of a plane, all rays in few dimensions, nothing claimed where none is found."""

import itertools
import random
from dataclasses import replace

import strategies
from gmpy2 import mpq, mpz
from hypothesis import event, given
from hypothesis import strategies as st
from test_minimality_covers import shallow_blocks
from test_minimality_search import blocks

from exactdrl import Walk, sample_experiment
from exactdrl.exact.linear import to_integers, to_matrix
from exactdrl.minimality.descent.planes import _best_ray, _Forms, descend_on_planes
from exactdrl.minimality.descent.subgradient_steps import search_by_subgradients
from exactdrl.minimality.rules.blocks import Block
from exactdrl.minimality.verdict import Undecided


def rays(block: Block, resting=()):
    """Yields both directions of each null space of width - 1 kinks, the given ones among them."""
    for others in itertools.combinations(range(len(block.rows)), block.width - 1 - len(resting)):
        kernel, nullity = to_matrix([block.rows[j] for j in (*resting, *others)], block.width).nullspace()
        if nullity == 1:
            ray = [mpz(int(kernel[i, 0])) for i in range(block.width)]
            yield ray
            yield [-entry for entry in ray]


def ratio(block: Block, direction) -> mpq | None:
    """Returns F in proportion to Σ |b_j z_j|, None where that is 0."""
    size = sum(abs(b * z) for b, z in zip(block.weights, block.kink_changes(direction), strict=True))
    return block.change(direction) / size if size else None


@strategies.examples(80)
@given(shallow_blocks(), st.data())
def test_best_ray_of_a_plane(block, data):
    """Of all rays on a plane it is one with the least F in proportion, and its values are exact up to one factor."""
    if block.width < 2:
        return
    integers, _ = to_integers([*block.slope, *block.weights])
    forms = _Forms(block.width, block.rows, tuple(integers[: block.width]), tuple(integers[block.width :]))
    places = st.integers(0, len(block.rows) - 1)
    resting = data.draw(st.lists(places, min_size=block.width - 2, max_size=block.width - 2, unique=True))
    found = _best_ray(forms, resting)
    if to_matrix([block.rows[j] for j in resting], block.width).rank() < block.width - 2:
        assert found is None
        return
    least = min(value for ray in rays(block, tuple(resting)) if (value := ratio(block, ray)) is not None)
    assert ratio(block, found.direction) == least == mpq(found.change, found.size)
    assert not any(block.kink_changes(found.direction)[j] for j in resting)


@strategies.examples(60)
@given(shallow_blocks(max_width=3, concave=9))
def test_all_rays_in_few_dimensions(block):
    """In two and three dimensions a descent is found if there is one; what is found is one in any dimension."""
    if block.width < 2:
        assert descend_on_planes(block) is None
        return
    found = descend_on_planes(block)
    event("no descent" if found is None else "a descent")
    assert (found is None) == all(block.change(ray) >= 0 for ray in rays(block))
    assert found is None or block.change(found) < 0


@strategies.examples(40)
@given(shallow_blocks(max_width=6, concave=12) | blocks())
def test_what_is_found_descends(block):
    """Beyond, what is found is a descent; a block with folds is left to others."""
    found = descend_on_planes(block)
    assert found is None or (block.is_shallow and block.change(found) < 0)


def narrow(width: int, seed: int) -> Block:
    """A unit dead on a hundred samples with a bias: F is 0 in a wide cone, and negative in few places if anywhere."""
    source = random.Random(seed)
    rows = [[mpz(source.randint(-3000, 3000)) for _ in range(width - 1)] + [mpz(1024)] for _ in range(100)]
    falls = set(source.sample(range(100), 10))
    weights = [mpq(-1 if k in falls else 1, 2) for k in range(100)]
    slope = [sum(w * row[c] for w, row in zip(weights, rows, strict=True)) for c in range(width)]
    count = len(rows)
    return Block(
        (0,), tuple(range(count)), (mpq(1),) * count, tuple(range(width)), False, tuple(map(tuple, rows)), ({},) * count,
        tuple(slope), tuple(weights),
    )  # fmt: skip


def test_narrow_descents():
    """Beside a wide cone where F is 0, planes find descents that no subgradient step finds."""
    missed = found = 0
    for width, seed in itertools.product((3, 4), range(6)):
        block = narrow(width, seed)
        if search_by_subgradients(block)[0] is None:
            missed += 1
            direction = descend_on_planes(block)
            found += direction is not None
            assert direction is None or block.change(direction) < 0
    assert missed >= found >= 3


def test_scales_do_not_matter():
    """The same direction for any positive multiple of F."""
    block = narrow(3, 1)
    scaled = replace(
        block, slope=tuple(g * 2**300 / 7 for g in block.slope), weights=tuple(b * 2**300 / 7 for b in block.weights)
    )
    assert descend_on_planes(block) == descend_on_planes(scaled)


def test_a_walk_that_was_undecided():
    """Widths (2,3,1), 200 samples, seed 5: 34 of 39,402 rays at a dead unit were descents; the walk goes on to its end."""
    walk = Walk(sample_experiment((2, 3, 1), samples=200, seed=5, bits=12))
    assert not isinstance(walk.run(), Undecided)
