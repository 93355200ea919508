"""Claims files and the stand-alone checker: what `exactdrl observe` writes is accepted, and what is changed to be false is not.

The checker's part for claims was written from proofs/CLAIMS.md alone, and so was tests/claimcheck.py, which judges
here.
"""

import hashlib
import json
import random
from fractions import Fraction

import pytest
from claimcheck import Run, is_true
from gmpy2 import mpq
from test_cli import run as run_cli
from test_corpus import CORPUS, find_inputs, load_checker, run

from exactdrl import Walk, read_instance, record_walk, sample_experiment, verify, write_instance
from exactdrl.exact.rationals import InputError
from exactdrl.observations.claims import MAX_CLAIMS, LossClaim, to_claims_text, write_claims
from exactdrl.observations.observe import observe

# Widths, samples, bits, seed, rule, window of step lengths: deep and degenerate ones, and long steps.
WALKS = [
    ((2, 3, 2, 1), 14, 10, 5, "reference", 3),
    ((2, 3, 1), 16, 4, 2, "steepest", 2),
    ((2, 1), 30, 12, 1, "long-step", 1),
]


@pytest.fixture(scope="module")
def checker():
    return load_checker()


@pytest.fixture(scope="module", params=WALKS, ids=lambda walk: walk[4])
def observed(request, tmp_path_factory):
    """Paths of instance and run, the slow judge's run, and the claims that the library writes."""
    widths, samples, bits, seed, rule, window = request.param
    folder = tmp_path_factory.mktemp("observed")
    instance, path, claims = (folder / f"a.{ending}" for ending in ("json", "drl", "claims"))
    write_instance(sample_experiment(widths, samples=samples, seed=seed, bits=bits), instance)
    record_walk(Walk(read_instance(instance), rule=rule), path)
    found = observe(instance, path, window=window, lines=1)
    write_claims(claims, found.instance_digest, found.run_digest, found.claims)
    return instance, path, Run(read_instance(instance), path.read_text("ascii")), json.loads(claims.read_text("ascii"))


def answer(checker, instance, path, content):
    """The checker's code and line for a claims file with this content."""
    claims = instance.parent / "changed.claims"
    claims.write_text(json.dumps(content), "ascii")
    return run(checker, instance, path, claims)


def narrow(text, share):
    """A number a little nearer to 1."""
    return str(Fraction(text) + share * (1 - Fraction(text)))


def changes(claim):
    """Claims that differ from one in a single constant, each false if that one is tight, and most if not."""
    if "counts" in claim:
        for index in range(len(claim["counts"])):
            for more in (-1, 1):
                counts = list(claim["counts"])
                counts[index] += more
                if counts[index] >= 0:
                    yield claim | {"counts": counts}
    if claim["claim"] == "decay":
        for key in ("low", "high"):
            yield claim | {key: narrow(claim[key], Fraction(1, 100))}
        yield claim | {"rate": str(Fraction(claim["rate"]).limit_denominator(10**9) * Fraction(99, 100))}
        yield claim | {"rate": str(Fraction(claim["rate"]).limit_denominator(10**9) * Fraction(101, 100))}
    elif "low" in claim:
        width = Fraction(claim["high"]) - Fraction(claim["low"])
        yield claim | {"low": str(Fraction(claim["high"]) + width / 100 + Fraction(1, 10**9)), "high": "1e9"}
        yield claim | {"high": str(Fraction(claim["low"]) - width / 100 - Fraction(1, 10**9)), "low": "-1e9"}
        yield claim | {"low": str(Fraction(claim["low"]) + width / 3)}
        yield claim | {"high": str(Fraction(claim["high"]) - width / 3)}


def test_what_is_observed_is_accepted(checker, observed):
    """Every claim that the library writes about a run is true for the checker."""
    instance, path, _, content = observed
    code, text = answer(checker, instance, path, content)
    assert (code, f"{len(content['claims'])} claims" in text) == (0, True), text
    assert len({claim["claim"] for claim in content["claims"]}) >= 4


def test_a_changed_constant_is_judged_as_by_the_definition(checker, observed):
    """Brackets, rates and counts that are changed are rejected exactly if the slow judge calls them false; most are."""
    instance, path, judge, content = observed
    trials = [changed for claim in content["claims"] for changed in changes(claim)]
    picked = random.Random(0).sample(trials, min(len(trials), 60))
    seen = []
    for claim in picked:
        code, text = answer(checker, instance, path, content | {"claims": [content["claims"][0], claim]})
        assert code == (0 if is_true(judge, claim) else 1), (claim, text)
        assert code == 0 or text.startswith("rejected: claim 2: ")
        seen.append(code)
    assert seen.count(1) > len(seen) / 2


def test_as_many_claims_as_allowed_are_written_and_no_more(checker, tmp_path):
    """The library's bound is the checker's: what it writes is read, and it refuses to write one claim more."""
    instance, run_path, _ = find_inputs(CORPUS / "accept" / "claims-example")
    content = json.loads((CORPUS / "accept" / "claims-example.claims").read_text("ascii"))
    claims = [LossClaim(step=5, low=mpq(71), high=mpq(71))] * MAX_CLAIMS
    path = tmp_path / "a.claims"
    write_claims(path, content["instance"], content["run"], claims)
    assert run(checker, instance, run_path, path)[0] == 0
    with pytest.raises(InputError, match="there are 1001 claims, and a claims file holds at most 1000"):
        to_claims_text(content["instance"], content["run"], [*claims, claims[0]])


def test_other_files_are_not_meant(checker, observed):
    """Claims are about one instance and one run, byte by byte."""
    instance, path, _, content = observed
    for key in ("instance", "run"):
        code, text = answer(checker, instance, path, content | {key: hashlib.sha256(b"").hexdigest()})
        assert (code, "they are about another" in text) == (2, True)


def test_lines_from_anywhere(checker, observed):
    """Counts on random lines are those of the slow judge, and none beside them are accepted."""
    instance, path, judge, content = observed
    rng = random.Random(1)
    shape = [len(row) for row in judge.points[0]]
    claims = []
    for _ in range(3):
        offset, direction = ([[str(Fraction(rng.randint(-9, 9), 4)) for _ in range(m)] for m in shape] for _ in "od")
        step = rng.choice([None, 0, len(judge.points) - 1])
        bounds = ["1/7", "1", "50"]
        claim = {"claim": "line-density", "step": step, "offset": offset, "direction": direction, "bounds": bounds}
        for guess in range(200):  # the judge answers yes or no: find the counts one after another
            if len(claims) < 3 and is_true(judge, claim | {"bounds": bounds[-1:], "counts": [guess]}):
                claims.append(claim | {"bounds": bounds[-1:], "counts": [guess]})
                break
    assert len(claims) == 3
    assert answer(checker, instance, path, content | {"claims": claims})[0] == 0
    for index, claim in enumerate(claims):
        wrong = [*claims[:index], claim | {"counts": [claim["counts"][0] + 1]}, *claims[index + 1 :]]
        code, text = answer(checker, instance, path, content | {"claims": wrong})
        assert (code, text.split(":")[1]) == (1, f" claim {index + 1}"), text


def test_verify_takes_claims(capsys):
    """`exactdrl verify INSTANCE RUN CLAIMS` and `verify` check claims; --steps and --gmpy2 reach the checker."""
    inputs = find_inputs(CORPUS / "accept" / "claims-example")
    assert verify(*inputs).line == "accepted: 5 steps, strict-local-minimum by likq, 10 claims (global)"
    for arguments, code, part in (
        ((*inputs,), 0, "accepted: 5 steps, strict-local-minimum by likq, 10 claims (global)"),
        ((*inputs, "--gmpy2"), 0, "accepted: 5 steps, strict-local-minimum by likq, 10 claims (global)"),
        ((*inputs[:2], "--gmpy2"), 0, "accepted: 5 steps, strict-local-minimum by likq"),
        ((*inputs[:2], "--steps", "2:4"), 0, "accepted: steps 2 to 4 of 5 (part: "),
        ((*inputs[:2], "--steps", "4:", "--gmpy2"), 0, "accepted: steps 4 to 5 of 5, strict-local-minimum by likq"),
        ((*inputs[:2], "--steps", "2:6"), 2, "malformed: --steps: 2:6 is no span of 5 steps"),
        ((*inputs, "--steps", "2:4"), 2, "malformed: usage: "),
        (find_inputs(CORPUS / "reject" / "claims-loss-below"), 1, "rejected: claim 1: outside the bracket"),
        (find_inputs(CORPUS / "malformed" / "claims-empty"), 2, "malformed: claims file: claims: 0 entries"),
    ):
        got, out, err = run_cli(capsys, "verify", *arguments)
        assert (got, out[: len(part)], err) == (code, part, ""), out
    code, out, err = run_cli(capsys, "verify", *inputs, "--fast")
    assert (code, out) == (2, "")
    assert "--fast goes without" in err


def test_gmpy2_changes_no_verdict_on_claims(checker):
    """With that package's integers the same lines come out."""
    for name in (
        "accept/claims-deep",
        "reject/claims-deep",
        "accept/claims-at-the-bounds",
        "reject/claims-decay-above",
    ):
        inputs = find_inputs(CORPUS / name)
        assert run(checker, *inputs, "--gmpy2") == run(checker, *inputs)
