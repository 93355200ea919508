"""Verdict files: what the library writes the stand-alone checker accepts; what is changed in them is never false and accepted."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import verdictcases
from exactdrl_cli.main import main
from gmpy2 import mpq
from pointoracle import random_point, rng_of
from test_corpus import load_checker
from test_points import instance_of, name

from exactdrl import read_instance, write_instance
from exactdrl.certificate.verdict_file import verdict_text, write_verdict
from exactdrl.exact.rationals import InputError
from exactdrl.points.judge import judge
from exactdrl.problem.file import to_json_text

ROOT = Path(__file__).parent.parent
RECORDS = ROOT / "proofs" / "records" / "points"


@pytest.fixture(scope="module")
def checker():
    return load_checker()


def check(checker, folder, instance, text):
    """The checker's answer: accepted and the verdict's name, or rejected, or malformed."""
    (folder / "a.json").write_text(to_json_text(instance), "ascii")
    (folder / "a.verdict").write_text(text, "ascii")
    try:
        return "accepted", checker.check(str(folder / "a.json"), str(folder / "a.verdict")).split(":")[0]
    except checker.Rejected as error:
        return "rejected", str(error)
    except checker.Malformed as error:
        return "malformed", str(error)


def random_instances(count, first):
    for seed in range(first, first + count):
        rng = rng_of(seed)
        kind = rng.choice(["squared", "squared", "absolute"])
        network, theta = random_point(rng, outputs=rng.choice([1, 1, 2]), kind=kind)
        yield rng, instance_of(network, theta)


@pytest.mark.parametrize("part", range(4))
def test_written_verdicts_are_accepted(checker, tmp_path, part):
    """On random points, for one layer and for all parameters: accepted, under the name that was written."""
    shown = set()
    for _, instance in random_instances(70, 80_000 + 100 * part):
        for free in ("all", 1, 2):
            judged = judge(instance, free=free)
            text = verdict_text(judged, instance.digest)
            status, said = check(checker, tmp_path, instance, text)
            assert status == "accepted", said
            assert said == json.loads(text)["verdict"]
            shown.add((said, json.loads(text)["witness"]["by"]))
    assert len(shown) >= 6, shown


def paths(value, path=()):
    """All places in a JSON value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from paths(part, (*path, key))


def mutate(rng, content):
    """A copy with one to three changes: other numbers, names, signs, entries left out, doubled or exchanged."""
    copy = json.loads(json.dumps(content))
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([p for p in paths(copy) if p and p[0] != "instance"])
        place = copy
        for key in path[:-1]:
            place = place[key]
        key, value = path[-1], place[path[-1]]
        choice = rng.random()
        if key == "verdict":
            place[key] = rng.choice(
                ["strict-local-minimum", "local-minimum", "not-a-minimum", "not-stationary", "undecided"]
            )
        elif isinstance(value, str) and choice < 0.8:
            place[key] = rng.choice(["0", "1", "-1", "1/2", "-3", "+", "-", ".", f"-{value}", value.lstrip("-")])
        elif isinstance(value, list) and value and choice < 0.8:
            index = rng.randrange(len(value))
            if choice < 0.3:
                del value[index]
            elif choice < 0.5:
                value.append(value[index])
            else:
                other = rng.randrange(len(value))
                value[index], value[other] = value[other], value[index]
        elif isinstance(value, int):
            place[key] = value + rng.choice([-1, 1])
        elif isinstance(place, dict) and choice > 0.9:
            del place[key]
    return copy


# what an accepted name allows the truth to be
ALLOWED = {
    "strict-local-minimum": {"strict"},
    "local-minimum": {"strict", "minimum"},
    "not-a-minimum": {"slope", "escape"},
    "not-stationary": {"slope"},
    "undecided": {"strict", "minimum", "slope", "escape", "undecided"},
}


@pytest.mark.parametrize("part", range(6))
def test_tampered_verdicts_are_never_false_and_accepted(checker, tmp_path, part):
    """Thousands of changed verdicts: what is accepted is true of the point, and nothing crashes."""
    answers = {"accepted": 0, "rejected": 0, "malformed": 0}
    for rng, instance in random_instances(25, 81_000 + 25 * part):
        free = rng.choice(["all", "all", 1, 2])
        truth = {choice: name(judge(instance, free=choice)) for choice in ("all", 1, 2)}
        content = json.loads(verdict_text(judge(instance, free=free), instance.digest))
        for _ in range(25):
            changed = mutate(rng, content)
            status, said = check(checker, tmp_path, instance, json.dumps(changed))
            answers[status] += 1
            if status == "accepted":
                assert truth[changed["free"]] in ALLOWED[said] or truth[changed["free"]] == "undecided", (changed, said)
    assert min(answers.values()) >= 20, answers


def test_a_witness_of_another_point_is_rejected(checker, tmp_path):
    """A minimum's witness beside a point of the same shape that is none: never accepted."""
    tried = 0
    for rng, instance in random_instances(120, 82_000):
        for free in ("all", 1):
            judged = judge(instance, free=free)
            if name(judged) not in {"minimum", "strict"} or not judged.loss:
                continue
            layers = [
                (
                    [[w + rng.choice([0, 0, mpq(1, 3), -1]) for w in row] for row in layer.weight],
                    layer.bias,
                    [(one.below, one.above) for one in layer.activations],
                )
                for layer in instance.layers
            ]
            other = type(instance).create(
                layers, instance.inputs, instance.targets, free="all", loss=instance.loss, weights=instance.weights
            )
            truth = judge(other, free=free)
            if name(truth) not in {"slope", "escape"}:
                continue
            content = json.loads(verdict_text(judged, other.digest))
            content["loss"] = str(truth.loss)
            content.pop("better", None)
            tried += 1
            assert check(checker, tmp_path, other, json.dumps(content))[0] != "accepted"
    assert tried >= 20


def test_the_corpus_is_what_its_builder_says():
    """tests/corpus holds the files that verdictcases builds, and no other verdicts."""
    built = {}
    for (folder, case), content in verdictcases.build().items():
        for ending, text in verdictcases.to_files(content).items():
            built[f"{folder}/verdict-{case}{ending}"] = text
    kept = {
        f"{path.parent.name}/{path.name}": path.read_text("utf-8") for path in verdictcases.CORPUS.glob("*/verdict-*")
    }
    assert kept.keys() == built.keys()
    assert kept == built


def test_command_and_verify(capsys, tmp_path):
    """`judge -o` writes a verdict, plain or compressed, that `verify` accepts; other endings are refused."""
    write_instance(verdictcases.CASE_A, tmp_path / "a.json")
    for ending in (".verdict", ".verdict.gz"):
        with pytest.raises(SystemExit) as stop:
            main(["judge", str(tmp_path / "a.json"), "-o", str(tmp_path / f"a{ending}")])
        assert stop.value.code == 0
        with pytest.raises(SystemExit) as stop:
            main(["verify", str(tmp_path / "a.json"), str(tmp_path / f"a{ending}")])
        assert stop.value.code == 0
        assert "accepted: local-minimum: the point in all parameters, shown by margins" in capsys.readouterr().out
    assert gzip.decompress((tmp_path / "a.verdict.gz").read_bytes()) == (tmp_path / "a.verdict").read_bytes()
    with pytest.raises(InputError, match=r"ends in \.verdict"):
        write_verdict(judge(verdictcases.CASE_A), "", tmp_path / "a.drl")


def test_figures(capsys, tmp_path):
    """A point is drawn where its units are vectors in a plane or its verdict has a curve; else it is said why not."""
    write_instance(verdictcases.COPY, tmp_path / "a.json")
    for ending in ("png", "svg", "pdf"):
        with pytest.raises(SystemExit) as stop:
            main(["judge", str(tmp_path / "a.json"), "--figure", str(tmp_path / f"a.{ending}")])
        assert stop.value.code == 0
        assert (tmp_path / f"a.{ending}").stat().st_size > 5000
    write_instance(verdictcases.DEEP, tmp_path / "b.json")
    for source, ending, said in (("a", "jpg", "ends in one of"), ("c", "png", "nothing to draw")):
        if source == "c":
            write_instance(verdictcases.BIASED_OFF, tmp_path / "c.json")
        with pytest.raises(SystemExit) as stop:
            main(["judge", str(tmp_path / f"{source}.json"), "--figure", str(tmp_path / f"x.{ending}"), "--free", "1"])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err


PUBLISHED = {
    "w1-origin": (mpq(953, 25000), "escape"),
    "w1-plateau": (mpq(50749, 1681250), "escape"),
    "w1-plateau-left": (mpq(8117224831003, 269000000000000), "slope"),
    "w1-end": (mpq(16139, 578750), "minimum"),
    "w1-trained": (None, "slope"),
    "w1-snapped": (mpq(16139, 578750), "minimum"),
    "w3-end": (mpq(17, 200), "minimum"),
    "w3-zero": (mpq(0), "minimum"),
    "w3-trained": (None, "slope"),
    "w3-snapped": (mpq(17, 200), "minimum"),
    "b-width-1": (mpq(512, 2925), "minimum"),
    "b-width-2": (mpq(512, 2925), "minimum"),
    "case-a": (mpq(14, 3), "minimum"),
    "case-a-halves": (mpq(14, 3), "minimum"),
    "case-a-copy": (mpq(14, 3), "escape"),
    "case-a-negative": (mpq(14, 3), "slope"),
    "case-b": (mpq(1, 2), "minimum"),
    "case-b-zero": (mpq(1, 2), "escape"),
    "case-b-same": (mpq(1, 2), "minimum"),
    "case-b-other": (mpq(1, 2), "slope"),
    "absolute-proved": (mpq(2, 3), "minimum"),
    "absolute-open": (mpq(1, 2), "undecided"),
    "xor-scikit": (None, "slope"),
    "xor-scikit-snapped": (mpq(1, 6), "minimum"),
    "xor-torch-squared": (None, "slope"),
    "xor-torch-squared-snapped": (mpq(1, 6), "minimum"),
    "xor-torch-absolute": (None, "slope"),
    "xor-torch-absolute-snapped": (mpq(1, 4), "minimum"),
}


def test_all_records_are_published():
    assert {path.name.split(".")[0] for path in RECORDS.glob("*")} == set(PUBLISHED)


@pytest.mark.parametrize("record", PUBLISHED)
def test_records(record):
    """Each record is accepted by the stand-alone checker, has the published mean loss, and is made again to the same bytes."""
    instance, written = RECORDS / f"{record}.json", RECORDS / f"{record}.verdict"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "proofs" / "check.py"), str(instance), str(written)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("accepted: "), done.stdout
    judged = judge(read_instance(instance))
    mean, verdict = PUBLISHED[record]
    assert name(judged) == verdict
    assert mean is None or judged.mean_loss == mean
    assert verdict_text(judged, read_instance(instance).digest) == written.read_text("ascii")


def test_exact_records_are_built_again():
    """The set-ups in proofs/records/points.py give the instances that are kept."""
    from exactdrl_proofs.records.points import instances

    for record, instance in instances().items():
        assert to_json_text(instance) == (RECORDS / f"{record}.json").read_text("ascii")
