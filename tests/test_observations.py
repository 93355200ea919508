"""Observations of walks: what is claimed holds by an independent recomputation, and nothing tighter does."""

import hashlib
import json
import random
import re
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import oracle
import pytest
from claimcheck import Run, breakpoints, is_true, number
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples, instances

from exactdrl import (
    InputError,
    Instance,
    Walk,
    read_certificate,
    read_instance,
    record_walk,
    sample_experiment,
    write_instance,
)
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.observations.brackets import bracket_sums, bracket_values, find_bracket, fit_slope, round_rate
from exactdrl.observations.claims import enclose_decimal, to_fields, write_claims
from exactdrl.observations.density import choose_radii, count_vertices
from exactdrl.observations.estimates import aitken, estimate, find_settled, fit_limit, is_within
from exactdrl.observations.lengths import (
    compare_with_sum,
    enclose_root,
    exponent_of,
    mean_text,
    sum_lengths,
    to_decimal,
)
from exactdrl.observations.lines import find_breakpoints
from exactdrl.observations.observe import observe
from exactdrl.observations.phases import split_phases
from exactdrl.series.trajectory import follow_trajectory

PAGE = Path(__file__).parent.parent / "proofs" / "CLAIMS.md"


def to_mpq(value):
    return mpq(value.numerator, value.denominator)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The three files of the format's page."""
    folder = tmp_path_factory.mktemp("example")
    instance, run, claims = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[-3:]
    (folder / "a.json").write_text(instance)
    (folder / "a.drl").write_text(run)
    return folder, json.loads(claims)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """A walk on a small deep network, observed, with the independent recomputation."""
    folder = tmp_path_factory.mktemp("walked")
    write_instance(sample_experiment((2, 3, 2, 1), samples=20, seed=5, bits=10), folder / "a.json")
    record_walk(Walk(read_instance(folder / "a.json")), folder / "a.drl")
    found = observe(folder / "a.json", folder / "a.drl", window=4, lines=2, between=[(3, 15)])
    return folder, found, Run(read_instance(folder / "a.json"), (folder / "a.drl").read_text())


# --- the format's page


def test_example_of_the_page(example):
    """The page's example names its files by their hashes, and all its claims hold by the independent judge."""
    folder, claims = example
    assert claims["instance"] == hashlib.sha256((folder / "a.json").read_bytes()).hexdigest()
    assert claims["run"] == hashlib.sha256((folder / "a.drl").read_bytes()).hexdigest()
    run = Run(read_instance(folder / "a.json"), (folder / "a.drl").read_text())
    assert [claim for claim in claims["claims"] if not is_true(run, claim)] == []


def test_example_observed(example):
    """The exactly geometric squared distances of the example get the rate 1/4 and a bracket without slack."""
    folder, _ = example
    found = observe(folder / "a.json", folder / "a.drl", window=2, lines=1, between=[(0, 4)])
    brackets = {bracket.quantity: bracket for bracket in found.brackets}
    exact = brackets["squared-distance"]
    assert (exact.rate, exact.low, exact.high) == (mpq(1, 4), 1, 1)
    assert found.final_loss == 71
    assert found.trajectory.losses == (185, 113, 85, 75, 72, 71)
    assert found.trajectory.squared_steps == (64, 16, 4, 1, 1)


# --- claims of real walks


def test_claims_hold(walked):
    """Every claim about a deep walk holds by an independent recomputation of every vertex and loss."""
    _, found, run = walked
    fields = [to_fields(claim) for claim in found.claims]
    assert {claim["claim"] for claim in fields} == {"loss", "decay", "estimate", "trajectory-density", "line-density"}
    assert {c["quantity"] for c in fields if c["claim"] == "decay"} == {"loss-gap", "squared-distance", "length-sum"}
    assert [claim for claim in fields if not is_true(run, claim)] == []


def unit(text):
    """A unit of the last of four significant digits."""
    return Fraction(str(mpq(10) ** (exponent_of(to_mpq(abs(number(text)))) - 3)))


def test_no_tighter_claim_holds(walked):
    """A constant of any claim moved inward by one unit of its last digit, or a count by one, makes it false."""
    _, found, run = walked
    changed = 0
    for claim in map(to_fields, found.claims):
        if claim["claim"] == "decay":
            low, high = number(claim["low"]), number(claim["high"])
            changes = []
            if 0 < low < 1:
                changes.append({"low": str(min(low + unit(claim["low"]), 1))})
            if high > 1:
                changes.append({"high": str(max(high - unit(claim["high"]), 1))})
        elif claim["claim"] == "estimate" and claim["from"] < claim["to"]:
            changes = [{"from": claim["from"] - 1}] if claim["from"] else []
        elif claim["claim"] == "estimate" and claim["low"] != claim["high"]:
            changes = [{"low": claim["high"]}, {"high": claim["low"]}]
        elif "counts" in claim:
            counts = claim["counts"]
            changes = [{"counts": [*counts[:-1], counts[-1] + 1]}, {"counts": [counts[0] + 1, *counts[1:]]}]
        else:
            changes = []
        for change in changes:
            assert not is_true(run, claim | change), (claim, change)
            changed += 1
    assert changed > 20


def test_trajectory(walked):
    """Losses in the cells, steps and distances are those of the vertices solved anew."""
    _, found, run = walked
    trajectory = found.trajectory
    assert [Fraction(str(v)) for v in trajectory.losses] == run.losses
    assert [Fraction(str(v)) for v in trajectory.squared_steps] == run.squared_steps
    assert [Fraction(str(v)) for v in trajectory.squared_distances] == run.squared_distances
    flat = [[value for row in matrix for value in row] for matrix in (trajectory.lower, trajectory.upper, *run.points)]
    for lower, upper, *column in zip(*flat, strict=True):
        assert lower <= min(map(to_mpq, column)) and max(map(to_mpq, column)) <= upper


def test_any_number_of_processes(walked):
    """Two processes observe what one does."""
    folder, found, _ = walked
    again = observe(folder / "a.json", folder / "a.drl", window=4, lines=2, between=[(3, 15)], jobs=2)
    assert again == found


@pytest.mark.parametrize("length", [1, 3, 1000])
def test_any_segments(walked, length, monkeypatch):
    """However a run is cut into segments, the sequences are the same."""
    folder, found, _ = walked
    instance = read_instance(folder / "a.json")
    from exactdrl.series import trajectory as module

    monkeypatch.setattr(module, "_STEPS_A_PART", length)
    problem = IntegerProblem.from_instance(instance)
    assert follow_trajectory(problem, read_certificate(folder / "a.drl", instance)) == found.trajectory


@given(instance=instances(max_depth=2, max_parameters=4, max_samples=6), seed=st.integers(0, 9))
@examples(12)
def test_claims_hold_on_degenerate_walks(tmp_path_factory, instance, seed):
    """Ties, lineality, dead units, walks without a step: whatever is claimed holds."""
    folder = tmp_path_factory.mktemp("any")
    write_instance(instance, folder / "a.json")
    record_walk(Walk(read_instance(folder / "a.json")), folder / "a.drl")
    found = observe(folder / "a.json", folder / "a.drl", window=1, lines=1, seed=seed, spread="10")
    run = Run(read_instance(folder / "a.json"), (folder / "a.drl").read_text())
    assert [claim for claim in map(to_fields, found.claims) if not is_true(run, claim)] == []


def test_claims_hold_on_long_steps(tmp_path):
    """A regression walked by long steps, which pass through kinks, is observed like any other."""
    write_instance(sample_experiment((3, 1), samples=40, seed=4, bits=8), tmp_path / "a.json")
    record_walk(Walk(read_instance(tmp_path / "a.json"), rule="long-step"), tmp_path / "a.drl")
    assert b'"cross"' in (tmp_path / "a.drl").read_bytes()
    found = observe(tmp_path / "a.json", tmp_path / "a.drl", window=2, lines=1)
    run = Run(read_instance(tmp_path / "a.json"), (tmp_path / "a.drl").read_text())
    assert found.steps > 3
    assert [claim for claim in map(to_fields, found.claims) if not is_true(run, claim)] == []


def test_claims_file(walked, tmp_path):
    """The same claims give the same bytes, compressed by name; names and existing files are refused."""
    folder, found, _ = walked
    write_claims(tmp_path / "a.claims", found.instance_digest, found.run_digest, found.claims)
    data = json.loads((tmp_path / "a.claims").read_text("ascii"))
    assert list(data) == ["format", "version", "instance", "run", "claims"]
    assert data["run"] == hashlib.sha256((folder / "a.drl").read_bytes()).hexdigest()
    for name, problem in (("a.json", "ends in"), ("a.claims", "exists already")):
        with pytest.raises(InputError, match=problem):
            write_claims(tmp_path / name, found.instance_digest, found.run_digest, found.claims)
    with pytest.raises(InputError, match="at least one"):
        write_claims(tmp_path / "b.claims", found.instance_digest, found.run_digest, ())
    import gzip

    write_claims(tmp_path / "a.claims.gz", found.instance_digest, found.run_digest, found.claims)
    assert gzip.decompress((tmp_path / "a.claims.gz").read_bytes()) == (tmp_path / "a.claims").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "window is 0"),
        ({"spread": 1}, "spread is 1"),
        ({"spread": "x"}, "not a number"),
        ({"lines": -1}, "lines is -1"),
        ({"between": [(3, 3)]}, "3..3"),
        ({"between": [(0, 10**6)]}, "0..1000000"),
    ],
)
def test_refusals(walked, arguments, message):
    """Arguments out of range are refused by name."""
    folder, _, _ = walked
    with pytest.raises(InputError, match=re.escape(message)):
        observe(folder / "a.json", folder / "a.drl", **arguments)


def test_false_runs_are_refused(walked, tmp_path):
    """A run that leaves its cells, or enters kinks that cannot be, is refused with a word on verifying it."""
    folder, _, _ = walked
    lines = (folder / "a.drl").read_text().splitlines()
    steps = [i for i, line in enumerate(lines) if '"enter"' in line]
    refused = 0
    for other in ([2, 0, 0], [3, 0, 0], [3, 3, 0], [3, 19, 0], [4, 0, 0], [3, 20, 0], [1, 0, 7], [3, -1, 0]):
        changed = list(lines)
        step = json.loads(lines[steps[-1]])
        if step["enter"] == other:
            continue
        changed[steps[-1]] = json.dumps(step | {"enter": other})
        body = "".join(f"{line}\n" for line in changed[:-1])
        digest = hashlib.sha256(body.encode()).hexdigest()
        (tmp_path / "a.drl").write_text(body + json.dumps({"end": {"steps": len(steps), "sha256": digest}}) + "\n")
        with pytest.raises(
            InputError, match=r"`exactdrl verify` checks the certificate|depends on those before it|not of this problem"
        ):
            observe(folder / "a.json", tmp_path / "a.drl", lines=0)
        refused += 1
    assert refused >= 3


# --- brackets


@given(
    values=st.lists(st.fractions(min_value=Fraction(1, 40), max_value=50, max_denominator=40), min_size=2, max_size=12),
    rate=st.fractions(min_value=Fraction(1, 9), max_value=3, max_denominator=9),
)
@examples(60)
def test_brackets_are_tightest(values, rate):
    """The constants hold for every k, and the next ones of as many digits do not."""
    found = find_bracket([to_mpq(v) for v in values], [to_mpq(v) for v in values], to_mpq(rate), digits=3)
    low, high = (Fraction(str(v)) for v in found)
    ratios = [v / (values[0] * rate**k) for k, v in enumerate(values)]
    assert low <= min(ratios) and max(ratios) <= high and low <= 1 <= high
    grid = Fraction(10) ** (exponent_of(to_mpq(low)) - 2)
    assert low == 1 or low + grid > min(ratios)
    grid = Fraction(10) ** (exponent_of(to_mpq(high)) - 2)
    assert high == 1 or high - grid < max(ratios)


def test_bracket_at_equality():
    """An exactly geometric sequence has constants 1 and 1; a value off by 2^-900 costs one unit of the last digit."""
    values = [mpq(7) * mpq(997, 1000) ** k for k in range(300)]
    assert find_bracket(values, values, mpq(997, 1000)) == (1, 1)
    values[200] *= 1 + mpq(1, 2**900)
    assert find_bracket(values, values, mpq(997, 1000)) == (1, mpq(1001, 1000))
    values[200] *= (1 - mpq(1, 2**900)) ** 3
    assert find_bracket(values, values, mpq(997, 1000)) == (mpq(9999, 10000), 1)


def test_bracket_of_zeros():
    """A value 0 forces low = 0; a first value 0 leaves no bracket."""
    assert find_bracket([mpq(4), mpq(0)], [mpq(4), mpq(0)], mpq(1, 2)) == (0, 1)
    assert find_bracket([mpq(0), mpq(4)], [mpq(0), mpq(4)], mpq(1, 2)) is None


def test_enclosures_are_bracketed_from_their_far_sides():
    """With sequences known by enclosures, low holds for the least values against the greatest first one."""
    low, high = find_bracket([mpq(10), mpq(4)], [mpq(11), mpq(5)], mpq(1, 2), digits=6)
    assert low == mpq(727272, 10**6) and high == 1
    low, high = find_bracket([mpq(10), mpq(6)], [mpq(11), mpq(7)], mpq(1, 2), digits=6)
    assert low == 1 and high == mpq(14, 10)


def test_rates():
    """Rates are short decimals near exp(slope), positive, with parts within the format's bounds."""
    assert round_rate(fit_slope([-0.5 * k for k in range(9)])[0]) == mpq(6065, 10000)
    assert round_rate(0.0) == 1
    assert round_rate(-1e-9) == 1 - mpq(1, 10**9)
    for slope in (-1e-14, 1e-14, -1e-17, -700.0, 700.0, 3.0, 1e-300):
        rate = round_rate(slope)
        assert 0 < rate and rate.numerator <= 2**64 and rate.denominator <= 2**64


def test_phases():
    """A geometric start of 200 steps, then a slow tail: the phase ends where the tail leaves the strip."""
    gaps = [mpq(97, 100) ** k for k in range(200)]
    gaps += [gaps[-1] * (1 - mpq(k, 1000)) for k in range(1, 900)] + [mpq(0)]
    phases = split_phases(gaps, mpq(3, 2))
    assert 200 <= phases.decay_end <= 240
    assert phases.decay.high / phases.decay.low <= mpq(3, 2)
    assert split_phases([mpq(5)] * 30 + [mpq(0)]).decay_end is None  # no decay at all
    assert split_phases([mpq(4), mpq(1), mpq(0)]).decay_end is None  # too short
    assert split_phases([mpq(0)]).decay_end is None


# --- square roots


@given(square=st.fractions(min_value=0, max_value=10**6, max_denominator=10**4), bits=st.integers(0, 70))
@examples(80)
def test_roots_are_enclosed(square, bits):
    """lo ≤ 2^bits √square ≤ hi, neighbours, and equal exactly for roots on the grid."""
    lo, hi = (int(v) for v in enclose_root(to_mpq(square), bits))
    assert lo * lo <= square * 4**bits <= hi * hi
    assert hi - lo == (0 if lo * lo == square * 4**bits else 1)


def test_sums_that_nearly_tie():
    """√5 + √22 + √27 and its neighbours 10^-60 away are told apart; rational roots can be equal to a bound."""
    squares = [mpq(5), mpq(22), mpq(27)]
    with localcontext() as context:
        context.prec = 120
        total = sum((Decimal(int(v)).sqrt() for v in squares), Decimal(0))
        near = Fraction(total.quantize(Decimal(10) ** -60))
        sign = (Fraction(total) > near) - (Fraction(total) < near)
    assert sign != 0
    assert compare_with_sum(squares, to_mpq(near)) == sign
    step = Fraction(sign, 10**60)
    assert compare_with_sum(squares, to_mpq(near + step)) == -sign
    assert compare_with_sum([mpq(9, 4), mpq(4)], mpq(7, 2)) == 0
    assert compare_with_sum([mpq(1, 9), mpq(4)], mpq(7, 3)) == 0
    assert compare_with_sum([mpq(1, 9), mpq(2)], mpq(7, 3)) == -1


def test_length_sums_by_decimals():
    """Running sums of roots enclose what 60-digit decimals give."""
    source = random.Random(4)
    squares = [mpq(source.randint(1, 10**6), source.randint(1, 10**3)) for _ in range(30)]
    sums = sum_lengths(squares, 4, 80)
    with localcontext() as context:
        context.prec = 60
        roots = [(Decimal(int(s.numerator)) / Decimal(int(s.denominator))).sqrt() for s in squares]
        for k in range(4, 31):
            total = sum(roots[k - 4 : k]) * 2**80
            assert int(sums.low[k - 4]) <= total <= int(sums.high[k - 4])
            assert mean_text(squares[k - 4 : k], 17) == f"{sum(roots[k - 4 : k]) / 4:.16e}".replace(
                "e+", "e+0"
            ).replace("e-", "e-0")
    assert len(sums.low) == 27 and sum_lengths(squares, 31, 10).low == ()


def test_digits_are_certain():
    """Digits are given only where both ends round to them; exact ties of rational roots are decided exactly."""
    assert to_decimal(mpq(12344, 10**4), mpq(12345, 10**4), 4) is None
    assert to_decimal(mpq(12346, 10**4), mpq(12349, 10**4), 4) == "1.235e+00"
    assert to_decimal(mpq(99999, 10), mpq(99999, 10), 3) == "1.00e+04"
    assert mean_text([mpq(25, 4)], 1) == "3e+00"
    assert mean_text([mpq(1, 9)], 5) == "3.3333e-01"


def test_bits_can_be_too_few():
    """With too few bits a bracket of length sums is looser, and with more it is not."""
    squares = [mpq(2, 4**k) for k in range(12)]
    coarse = bracket_sums(sum_lengths(squares, 2, 14), 2, 12, mpq(1, 2))
    fine = bracket_sums(sum_lengths(squares, 2, 80), 2, 12, mpq(1, 2))
    assert coarse.low < fine.low == mpq(9999, 10**4) and fine.high == mpq(1001, 1000) < coarse.high
    assert bracket_sums(sum_lengths([s / 4**9 for s in squares], 2, 1), 2, 12, mpq(1, 2)) is None


# --- estimates


def test_aitken_is_exact_on_exponentials():
    """c + d ρ^k gives c for every step and gap; without a bend there is no estimate; f = 0 is the loss itself."""
    losses = [5 + 3 * mpq(9, 10) ** k for k in range(50)]
    for step in (10, 33, 49):
        assert aitken(losses, step, mpq(1, 3)) == 5
        assert aitken(losses, step, mpq(0)) == losses[step]
    line = [mpq(100 - k) for k in range(50)]
    assert aitken(line, 40, mpq(1, 4)) is None
    assert estimate(line, 40, mpq(1, 4)).error is None
    assert aitken([mpq(7)] * 9, 8, mpq(1, 2)) == 7
    assert aitken(losses, 49, mpq(1, 2)) == 5  # 2 ⌊k/2⌋ ≤ k


def test_estimates_use_the_past_only():
    """Losses after a step change neither Aitken's estimate nor the fit."""
    past = [mpq(100, k + 1) for k in range(30)]
    floats = [float(v) for v in past]
    assert aitken(past, 29, mpq(1, 2)) == aitken([*past, mpq(1), mpq(0)], 29, mpq(1, 2))
    assert fit_limit(floats, 29) == fit_limit([*floats, 1.0, 0.0], 29)


@given(losses=st.lists(st.integers(0, 30), min_size=1, max_size=25), within=st.sampled_from([0, 5, 20, 100]))
@examples(60)
def test_settled_is_the_first_such_step(losses, within):
    """From the settled step on every estimate is within, the one before is not; no step means that the last is not."""
    values = [mpq(v) for v in sorted(losses, reverse=True)]
    bound = mpq(within, 100)
    for fraction in (mpq(0), mpq(1, 2), mpq(1, 4)):
        step = find_settled(values, fraction, bound).step
        hits = [is_within(values, k, fraction, bound) for k in range(len(values))]
        expected = next((k for k in range(len(values)) if all(hits[k:])), None)
        assert step == expected


def test_settled_at_equality():
    """An error of exactly the allowed size is within."""
    assert find_settled([mpq(21), mpq(20)], mpq(0), mpq(1, 20)).step == 0
    assert find_settled([mpq(21) + mpq(1, 2**999), mpq(20)], mpq(0), mpq(1, 20)).step == 1


def test_fit_finds_the_limit():
    """The fit recovers the limit of an exponential, and has none where there is no bend."""
    floats = [3 + 2 * 0.99**k for k in range(600)]
    assert abs(fit_limit(floats, 599) - 3) < 1e-3
    assert fit_limit([5.0 - 0.001 * k for k in range(600)], 599) is None
    assert fit_limit(floats, 2) is None


# --- density


def test_radii_and_counts():
    """The greatest radius is the least power of 2 that holds all; counts include the boundary."""
    squares = [mpq(9), mpq(4), mpq(1), mpq(0)]
    radii = choose_radii(squares, 4)
    assert radii == (mpq(1, 2), 1, 2, 4)
    assert count_vertices(squares, radii).counts == (1, 2, 3, 4)
    assert choose_radii([mpq(16), mpq(0)], 1) == (4,)
    assert choose_radii([mpq(16) + mpq(1, 10**50)], 1) == (8,)
    assert choose_radii([mpq(1, 10**20)], 1) == (mpq(1, 2**33),)
    assert choose_radii([mpq(0)], 2) == (mpq(1, 2), 1)


def lad(points):
    """|θ - y| summed over y."""
    return Instance.create([([["0"]], None)], [["1"]] * len(points), [[str(y)] for y in points])


def along(instance, origin, direction, radius):
    problem = IntegerProblem.from_instance(instance)
    matrix = [[[mpq(v) for v in row] for row in rows] for rows in (origin, direction)]
    return find_breakpoints(problem, *matrix, mpq(radius))


def test_breakpoints_counted_by_hand():
    """Ties count once, the ends of the interval do not count, directions scale."""
    instance = lad([0, 1, 1, 1, 3])
    assert along(instance, [[1]], [[1]], 2) == [-1, 0]
    assert along(instance, [[1]], [[1]], "2.001") == [-1, 0, 2]
    assert along(instance, [[1]], [["-1/2"]], 5) == [-4, 0, 2]
    assert along(instance, [[1]], [[0]], 5) == []


def test_kinks_without_effect_are_not_counted():
    """|t| - 2 ReLU(t) = -t has two kinks at 0 that cancel; a dead unit's kinks do nothing; a lone one does."""
    # output layer fixed: f = v ReLU(w x); residuals stay away from 0 for the small interval
    unit = Instance.create([([["0"]], None), ([["1"]], None)], [["1"], ["-1"]], [["-9"], ["9"]])
    # samples: ReLU(t) + 9 and 9 - ReLU(-t): slopes 1 for t > 0 and 1 for t < 0: no breakpoint at 0
    assert along(unit, [[0]], [[1]], 5) == []
    alone = Instance.create([([["0"]], None), ([["1"]], None)], [["1"]], [["-9"]])
    assert along(alone, [[0]], [[1]], 5) == [0]
    dead = Instance.create([([["0"]], None), ([["0"]], None)], [["1"]], [["-9"]])
    assert along(dead, [[0]], [[1]], 5) == []
    # |ReLU(t) - 2|: kinks at 0 and 2
    bent = Instance.create([([["0"]], None), ([["1"]], None)], [["1"]], [["2"]])
    assert along(bent, [[0]], [[1]], 5) == [0, 2]


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_breakpoints_of_deep_networks(layer):
    """On lines through deep networks all breakpoints are those that forward passes find."""
    source = random.Random(layer)

    def rows(count, width):
        return [[Fraction(source.randint(-9, 9), source.randint(1, 4)) for _ in range(width)] for _ in range(count)]

    for _ in range(3):
        layers = [(rows(3, 2), rows(1, 3)[0]), (rows(2, 3), None), (rows(2, 2), rows(1, 2)[0])]
        instance = Instance.create(layers, rows(5, 2), rows(5, 2), layer=layer)
        shape = (len(instance.start), len(instance.start[0]))
        origin, direction = rows(*shape), rows(*shape)
        expected = breakpoints(oracle.Problem(instance), origin, direction, Fraction(4))
        assert [Fraction(str(t)) for t in along(instance, origin, direction, 4)] == expected
        assert expected


def test_decimals_are_enclosed():
    """The next decimals below and above, for either sign; a decimal encloses itself."""
    assert enclose_decimal(mpq(1, 3), 4) == (mpq(3333, 10**4), mpq(3334, 10**4))
    assert enclose_decimal(mpq(-1, 3), 2) == (mpq(-34, 100), mpq(-33, 100))
    assert enclose_decimal(mpq(5, 4), 3) == (mpq(5, 4), mpq(5, 4))
    assert enclose_decimal(mpq(0), 3) == (0, 0)


def test_bracket_values_of_a_window():
    """A window's bracket is relative to its first step."""
    values = [mpq(1000), mpq(1), *(mpq(64, 2**k) for k in range(6))]
    found = bracket_values("loss-gap", values, 2, 7)
    assert (found.rate, found.low, found.high, found.begin, found.end) == (mpq(1, 2), 1, 1, 2, 7)
