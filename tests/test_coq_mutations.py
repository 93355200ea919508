"""The proved checker with a condition dropped accepts some false case: the cases are sharp, and each condition counts.

Needs what `python3 start.py coq` installs and builds; without it these tests are skipped.
"""

import hashlib
import json
import shutil
import subprocess

import pytest
from test_coq import CODES, PROGRAM, RECORDS, best_hints, cases, elaborate, sealed, tampered

BUILD = PROGRAM.parent / "build"
FILES = ("checker.mli", "checker.ml", "arithmetic.ml", "sha256.ml", "json.ml", "files.ml", "main.ml")
# what stands in the extracted program, and what stands there instead
MUTATIONS = {
    "a slope may be under its bound": ("(n.le low h))", "true)"),
    "a slope may be over its bound": ("(n.le h high))", "true)"),
    "slopes need not add up to 0": ("Some rows -> all (all (is_zero n)) rows", "Some rows -> true"),
    "slopes need not be those of an axis": ("Some rows -> is_axis_rows n b r c rows", "Some rows -> true"),
    "the end may be another point": ("let is_point n st u =", "let is_point n st u = true || "),
    "the first basis' inverse": ("(is_inverse n p c (size num) m ks inv)", "true"),
    "the first basis need not vanish": ("if all (zero_of n values) ks", "if true"),
    "flipped kinks need not vanish": ("((&&) (all here mv.flips)", "((&&) true"),
    "a new basis need not vanish": ("(&&) (all (zero_of n values) new0)", "(&&) true"),
    "the loss may rise": ("((&&) (n.le behind before0)", "((&&) true"),
    "a long step's loss may stay": ("_ :: _ -> negb (n.le before0 behind)", "_ :: _ -> true"),
    "points may lie outside the cell": ("if obeys_all_of", "if true || obeys_all_of"),
}

pytestmark = pytest.mark.skipif(
    not (PROGRAM.exists() and BUILD.exists() and shutil.which("ocamlfind")),
    reason="proofs/coq is not built here: python3 start.py coq",
)


def verdict_of(program, instance, run, lines):
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([program, instance, run, "-"], input=text, capture_output=True, text=True, check=False)
    verdict = done.stdout.split(":")[0]
    assert done.returncode == CODES[verdict]
    return verdict


def median(folder, name, start, pattern, steps, outcome, hints):
    """A run on the median of 0, 1 and 2, one parameter, with the hints of its points."""
    content = {
        "format": "exactdrl-instance",
        "version": 1,
        "network": {"layers": [{"weight": [[start]], "bias": None}]},
        "layer": 1,
        "loss": {"kind": "absolute"},
        "data": {"inputs": [["1"], ["1"], ["1"]], "targets": [["0"], ["1"], ["2"]]},
    }
    instance, run = folder / f"{name}.json", folder / f"{name}.drl"
    text = json.dumps(content)
    instance.write_text(text, "ascii")
    digest = hashlib.sha256(text.encode()).hexdigest()
    header = {"format": "exactdrl-certificate", "version": 1, "instance": digest, "rule": "first", "start": "own"}
    first = {"vertex": {"pattern": [pattern], "basis": [[1, int(start), 0]]}}
    run.write_text(sealed([json.dumps(line) for line in (header, first, *steps, outcome)]), "ascii")
    lines = [{"format": "exactdrl-hints", "version": 1, "instance": digest}, *hints]
    return instance, run, [json.dumps(line) for line in lines]


def vertex_at(numerator, denominator=1):
    return {"point": {"numerators": [[hex(numerator)]], "denominator": hex(denominator)}}


def make_medians(folder):
    """Ends that are no minimum, and points that are no vertex; each breaks one condition."""
    inverse, limit = {"inverse": [[["1"]]]}, {"outcome": "step-limit"}
    end = {"outcome": "local-minimum", "by": "likq"}

    def claim(name, start, pattern, slope):
        slopes = {"point": [[start]], "tree": {"slopes": [[1, int(start), 0, slope]]}}
        return median(folder, name, start, pattern, [], end, [vertex_at(int(start)) | inverse, slopes])

    yield claim("over", "0", "8", "2")
    yield claim("under", "2", "e", "-2")
    yield claim("unbalanced", "0", "8", "1")
    yield median(folder, "first", "0", "8", [], limit, [vertex_at(1, 2) | inverse])
    step = {"flip": [], "leave": [1, 0, 0], "enter": [1, 1, 0]}
    yield median(folder, "new", "0", "8", [step], limit, [vertex_at(0) | inverse, vertex_at(1, 2)])


def test_the_median_itself(tmp_path):
    """The neighbours of the false cases: the same with the right numbers is accepted."""
    step = {"flip": [], "leave": [1, 0, 0], "enter": [1, 1, 0]}
    first = vertex_at(0) | {"inverse": [[["1"]]]}
    last = {"point": [["1"]], "tree": {"slopes": []}}
    end = {"outcome": "local-minimum", "by": "likq"}
    case = median(tmp_path, "a", "0", "8", [step], end, [first, vertex_at(1), last])
    assert verdict_of(PROGRAM, *case) == "accepted"


@pytest.fixture(scope="module")
def false_cases(tmp_path_factory):
    """What the checker rejects: the corpus, medians, and records with one number of their hints changed."""
    found = list(make_medians(tmp_path_factory.mktemp("medians")))
    assert [verdict_of(PROGRAM, *case) for case in found] == ["rejected"] * 5
    for parameter in cases("reject"):
        instance, run = parameter.values
        found.append((instance, run, best_hints(instance, run)))
    for name in ("published-stop", "lad-engel"):
        instance, run = RECORDS / name / "instance.json.gz", RECORDS / name / "run.drl.gz"
        hints = elaborate(instance, run)
        for line in (1, 2, len(hints) - 1):
            texts = [json.dumps(changed) for changed in tampered(json.loads(hints[line]))][:12]
            found.extend((instance, run, [*hints[:line], text, *hints[line + 1 :]]) for text in texts)
    return [case for case in found if verdict_of(PROGRAM, *case) == "rejected"]


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_condition_matters(name, false_cases, tmp_path):
    """Without the condition the program accepts a case that it rejects."""
    for source in FILES:
        shutil.copy(BUILD / source, tmp_path)
    old, new = MUTATIONS[name]
    text = (tmp_path / "checker.ml").read_text("utf-8")
    assert text.count(old) >= 1, old
    (tmp_path / "checker.ml").write_text(text.replace(old, new), "utf-8")
    command = ["ocamlfind", "ocamlopt", "-w", "-a", "-package", "zarith,unix", "-linkpkg", *FILES, "-o", "mutant"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert any(verdict_of(tmp_path / "mutant", *case) == "accepted" for case in false_cases)
