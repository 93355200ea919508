"""The corpus of the stand-alone checker: tests/corpus/{accept,reject,malformed}/NAME.{json,drl,claims,verdict,reason}.

Each case is an instance and a certificate, perhaps with claims, or a verdict (each may be .gz). The folder is the verdict, NAME.reason
holds a part of the reason. A case in reject/ breaks exactly one condition of proofs/FORMAT.md or proofs/CLAIMS.md.
"""

import contextlib
import errno
import gzip
import hashlib
import io
import itertools
import json
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest

CHECKER = Path(__file__).parent.parent / "proofs" / "check.py"
CORPUS = Path(__file__).parent / "corpus"
CODES = {"accept": 0, "reject": 1, "malformed": 2}
EXITS = {"accepted": 0, "rejected": 1, "malformed": 2, "failed": 4}
VERDICTS = {"accept": "accepted: ", "reject": "rejected: ", "malformed": "malformed: "}


USAGE = "malformed: usage: python -I -S check.py INSTANCE RUN [CLAIMS | --steps A:B] [--gmpy2]\n"


def find_file(stem, *endings):
    names = (f"{stem.name}{ending}{more}" for ending in endings for more in ("", ".gz"))
    return next(path for path in (stem.parent / name for name in names) if path.exists())


# the second file is a certificate, or a verdict on the instance's point (tests/verdictcases.py)
SECOND = (".drl", ".verdict")
STEMS = sorted({path.parent / path.name.split(".")[0] for end in SECOND for path in CORPUS.glob(f"*/*{end}*")})
WALKS = [stem for stem in STEMS if not any(stem.parent.glob(f"{stem.name}.verdict*"))]


# problems that have no walk: kinks see other units on samples of weight 0 than on the others
UNHANDLED = {"slopes-different-spaces"}


def is_walk(stem):
    """Whether a case's second file is the certificate of a walk with a vertex, on a problem that the library handles."""
    path = find_file(stem, ".drl", ".verdict")
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return b'"exactdrl-certificate"' in content[:60] and b'\n{"start"' not in content and stem.name not in UNHANDLED


# The checker's files, lowest first: those of the folder in the order that its first page names, and check.py.
PAGE = (CHECKER.parent / "checker" / "__init__.py").read_text("utf-8")
FILES = {name: CHECKER.parent / "checker" / f"{name}.py" for name in re.findall("^([a-z]+) +[a-z]", PAGE, re.MULTILINE)}
FILES["check"] = CHECKER
CODE = {name: compile(path.read_text("utf-8"), str(path), "exec") for name, path in FILES.items()}


def load_checker(**changed):
    """check.py with all of its folder, as modules of their own in `parts`; some files with changed code."""

    def hide():
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "checker"}

    hidden, path = hide(), list(sys.path)
    package = sys.modules["checker"] = types.ModuleType("checker")
    parts = {}
    try:
        for name, code in (CODE | changed).items():
            module = parts[name] = types.ModuleType(f"checker.{name}")
            module.__package__, module.__file__ = "checker", str(FILES[name])
            sys.modules[module.__name__] = module
            setattr(package, name, module)
            exec(code, module.__dict__)
    finally:
        hide()
        sys.modules.update(hidden)
        sys.path[:] = path
    parts["check"].parts = parts
    return parts["check"]


@contextlib.contextmanager
def patched(module, **values):
    """Some of the checker's globals with other values, in every part that has them."""
    everywhere = values.pop("missing", False)  # builtins too
    parts = module.parts.values()
    places = [(part, name) for part in parts for name in values if everywhere or hasattr(part, name)]
    before = [getattr(part, name, open) for part, name in places]
    assert places
    try:
        for part, name in places:
            setattr(part, name, values[name])
        yield
    finally:
        for (part, name), value in zip(places, before, strict=True):
            setattr(part, name, value)


def run(module, *arguments):
    """The exit code and what is printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = module.main([str(argument) for argument in arguments])
    return code, out.getvalue()


def find_inputs(stem):
    """Instance and run of a case, and its claims if it has any."""
    claims = stem.parent.glob(f"{stem.name}.claims*")
    return [find_file(stem, ".json"), find_file(stem, *SECOND), *claims]


def run_case(module, stem, *options):
    return run(module, *find_inputs(stem), *options)


def fits(stem, code, text):
    """Whether code and text are the verdict that the corpus expects."""
    kind = stem.parent.name
    reason = "" if kind == "accept" else (stem.parent / f"{stem.name}.reason").read_text("ascii").rstrip("\n")
    one_line = text.endswith("\n") and text.count("\n") == 1 and text.isascii()
    return one_line and code == CODES[kind] and text.startswith(VERDICTS[kind]) and reason in text


def run_span(module, span):
    return run_case(module, CORPUS / "accept" / "median", "--steps", span)


def run_without_gmpy2(module):
    """As with `python -S`, where no installed package is found."""
    before, sys.path[:] = sys.path[:], []
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "gmpy2"}
    finders, sys.meta_path[:] = sys.meta_path[:], []
    try:
        return run_case(module, CORPUS / "accept" / "median", "--gmpy2")
    finally:
        sys.path[:], sys.meta_path[:] = before, finders
        sys.modules.update(hidden)


def run_capped(module, name, cap):
    """A walk and claims that are accepted, with one of the bounds on file sizes lowered."""
    with patched(module, **{name: cap}):
        return run_case(module, CORPUS / "accept" / ("claims-gzip" if name == "CLAIMS_CAP" else "median-gzip"))


def run_raising(module, error):
    """An instance that is too large for this machine, an interrupt, a fault of the checker."""

    def fail(*_):
        raise error

    with patched(module, read_instance=fail):
        return run(module, "a", "b")


def run_with_errno(module, number):
    """A file that the machine cannot read."""

    def fail(*_):
        raise OSError(number, "no")

    with patched(module, open=fail, missing=True):
        return run(module, "no.json", "no.drl")


def run_with_primes(module, primes):
    """An instance whose basis has a determinant that 2^255 - 19 divides, with primes that its digest does not say."""
    primes = iter(primes)
    with patched(module, find_prime=lambda _: next(primes)):
        return run_case(module, CORPUS / "accept" / "prime-in-the-data")


def run_patched(module, name, **values):
    """A case with some globals of the checker changed."""
    with patched(module, **values):
        return run_case(module, CORPUS / "accept" / name)


def run_kind(module, *more):
    """A second file of another format, for which the checker has another part."""

    def check_other(instance, path):
        return f"{instance.digest[:6]}, {Path(path).name}"

    with tempfile.TemporaryDirectory() as folder, patched(module, KINDS={"exactdrl-other": check_other}):
        path = Path(folder) / "a.other"
        path.write_text('\n{ "format" : "exactdrl-other", "version": 1}', "ascii")
        return run(module, find_inputs(CORPUS / "accept" / "median")[0], path, *more)


def run_changed(module, *more):
    """A certificate that is another one when it is read again."""
    reads, read_lines = [], module.parts["reading"].read_lines

    def read_other(path, cap):
        reads.append(path)
        again = reads.count(path) > 2 and path.endswith(".drl")  # after its format and its form
        return read_lines(
            str(find_file(CORPUS / "accept" / "median-not-claimed-strict", ".drl")) if again else path, cap
        )

    with patched(module, read_lines=read_other):
        return run_case(module, CORPUS / "accept" / "median", *more)


# What files cannot hold: name, run, expected line.
SPECIAL = {
    "no arguments": (run, USAGE),
    "four arguments": (
        lambda module: run(module, "a", "b", "c", "d"),
        USAGE,
    ),
    "claims about some steps": (
        lambda module: run_case(module, CORPUS / "accept" / "claims-example", "--steps", "1:5"),
        USAGE,
    ),
    "claims about another kind of file": (lambda module: run_kind(module, "a.claims"), USAGE),
    "steps of another kind of file": (lambda module: run_kind(module, "--steps", "1:1"), USAGE),
    "claims missing": (
        lambda module: run(module, *find_inputs(CORPUS / "accept" / "median"), "no.claims"),
        "malformed: a file cannot be read (FileNotFoundError): no.claims\n",
    ),
    "not a span": (lambda module: run_span(module, "1-1"), USAGE),
    "span of other digits": (lambda module: run_span(module, "\u0661:"), USAGE),
    "span missing": (lambda module: run(module, "a", "b", "--steps"), USAGE),
    "span too late": (lambda module: run_span(module, "2:"), "malformed: --steps: 2:1 is no span of 1 steps\n"),
    "span too long": (lambda module: run_span(module, ":2"), "malformed: --steps: 1:2 is no span of 1 steps\n"),
    "span from 0": (lambda module: run_span(module, "0:"), "malformed: --steps: 0:1 is no span of 1 steps\n"),
    "no gmpy2": (
        run_without_gmpy2,
        "malformed: --gmpy2: gmpy2 cannot be imported\n",
    ),
    "out of memory": (lambda module: run_raising(module, MemoryError()), "failed: not enough memory\n"),
    "interrupted": (lambda module: run_raising(module, KeyboardInterrupt()), "failed: interrupted\n"),
    "fault": (
        lambda module: run_raising(module, TypeError("no")),
        "failed: the checker has a fault: TypeError: no\n",
    ),
    "disk error": (
        lambda module: run_with_errno(module, errno.EIO),
        "failed: a file cannot be read (OSError): no.json\n",
    ),
    "no such device": (
        lambda module: run_with_errno(module, errno.ENODEV),
        "malformed: a file cannot be read (OSError): no.json\n",
    ),
    "every prime divides": (
        lambda module: run_with_primes(module, itertools.repeat(2**255 - 19)),
        "failed: line 2: 16 primes divide the basis' determinant\n",
    ),
    "long exponents": (
        lambda module: run_patched(module, "prime-in-the-data", EXPONENT_CAP=-(10**6)),
        "malformed: instance: its exponents add up to too much\n",
    ),
    "large denominators": (
        lambda module: run_patched(module, "median", SCALE_CAP=-(10**6)),
        "malformed: numbers have too large a common denominator\n",
    ),
    "many addresses": (
        lambda module: run_patched(module, "median", ADDRESS_CAP=2),
        "malformed: instance: 3 addresses, over 2\n",
    ),
    "many pieces of a sample": (
        lambda module: run_patched(module, "claims-deep", PIECE_CAP=1),
        "rejected: claim 1: sample 0 has over 1 pieces\n",
    ),
    "many pieces": (
        lambda module: run_patched(module, "claims-deep", PIECES_CAP=3),
        "rejected: claim 1: the samples have over 3 pieces\n",
    ),
    "changed between two passes": (run_changed, "malformed: the file changed while it was checked\n"),
    "missing file": (
        lambda module: run(module, "no\n.json", "no"),
        "malformed: a file cannot be read (FileNotFoundError): no\\n.json\n",
    ),
    "folder": (lambda module: run(module, ".", "no"), "malformed: a file cannot be read (IsADirectoryError): .\n"),
    "null in a name": (
        lambda module: run(module, "\0", "no"),
        "malformed: a file cannot be read (ValueError): \\x00\n",
    ),
    "large instance": (
        lambda module: run_capped(module, "INSTANCE_CAP", 100),
        "malformed: a file has over 100 bytes\n",
    ),
    "large certificate": (
        lambda module: run_capped(module, "CERTIFICATE_CAP", 300),
        "malformed: a file has over 300 bytes\n",
    ),
    "large claims": (
        lambda module: run_capped(module, "CLAIMS_CAP", 1000),
        "malformed: a file has over 1000 bytes\n",
    ),
    "long line": (
        lambda module: run_capped(module, "LINE_CAP", 160),
        "malformed: line 1: breaks off, or is longer than 160 bytes\n",
    ),
}


@pytest.fixture(scope="module")
def checker():
    return load_checker()


@pytest.mark.parametrize("stem", STEMS, ids=lambda stem: f"{stem.parent.name}/{stem.name}")
def test_case(checker, stem):
    """Each case has the verdict of its folder, for its reason, in one line of ASCII."""
    code, text = run_case(checker, stem)
    assert fits(stem, code, text), text


@pytest.mark.parametrize("name", SPECIAL)
def test_special(checker, name):
    """Bad usage, bad files and files that are too large are malformed."""
    special, line = SPECIAL[name]
    assert special(checker) == (EXITS[line.split(":")[0]], line)


def test_caps_are_sharp(checker):
    """A file of exactly as many bytes as allowed is read."""
    stem = CORPUS / "accept" / "median-gzip"
    names = {
        "INSTANCE_CAP": stem.name + ".json",
        "CERTIFICATE_CAP": stem.name + ".drl",
        "CLAIMS_CAP": "claims-gzip.claims",
    }
    for name, file in names.items():
        size = len(gzip.decompress((stem.parent / f"{file}.gz").read_bytes()))
        assert run_capped(checker, name, size)[0] == 0
        assert run_capped(checker, name, size - 1)[0] == 2


def test_the_second_file_says_what_it_is(checker):
    """A file whose first key names another format goes to that format's part; unknown formats are malformed."""
    digest = hashlib.sha256(find_inputs(CORPUS / "accept" / "median")[0].read_bytes()).hexdigest()
    assert run_kind(checker) == (0, f"accepted: {digest[:6]}, a.other\n")


def test_another_prime_is_taken(checker):
    """A prime that divides a basis' determinant is of no use; the next one is."""
    code, text = run_with_primes(checker, [2**255 - 19, 2**255 + 95])
    assert (code, text[:9]) == (0, "accepted:")


CLOSED = "import os, runpy, sys; path = sys.argv.pop(1); {}; runpy.run_path(path, run_name='__main__')"


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("closed", "os.close(1)"),
        ("full", "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"),
        ("gone", "r, w = os.pipe(); os.dup2(w, 1); os.close(w); os.close(r)"),
        ("errors closed", "os.close(2); os.close(1)"),
    ],
)
def test_a_verdict_that_nobody_can_read_is_none(name, before):
    """With standard output closed, full or without a reader the exit code is 4, quietly."""
    command = [sys.executable, "-I", "-S", "-c", CLOSED.format(before), CHECKER]
    done = subprocess.run([*command, *find_inputs(CORPUS / "accept" / "median")], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, b"", b""), name


def test_closed_from_the_start():
    """A shell's `>&-` leaves Python without standard output at all."""
    files = " ".join(map(str, find_inputs(CORPUS / "accept" / "median")))
    for ending, code in ((">&-", 4), ("2>&-", 0), (">&- 2>&-", 4)):
        command = f"{sys.executable} -I -S {CHECKER} {files} {ending}"
        done = subprocess.run(command, shell=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (code, b""), ending


@pytest.mark.parametrize(
    "name", ["accept/median-gzip", "reject/loss-rises", "malformed/end-missing", "accept/claims-example"]
)
def test_alone(name, tmp_path):
    """The checker runs isolated and without site packages; progress is silent where there is no terminal."""
    stem = CORPUS / name
    command = [sys.executable, "-I", "-S", CHECKER, *find_inputs(stem)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert fits(stem, done.returncode, done.stdout)
    assert done.stderr == ""


def test_every_refusal_has_a_reason():
    """Every case in reject and malformed says why, and no case in accept does."""
    for stem in STEMS:
        assert (stem.parent / f"{stem.name}.reason").exists() == (stem.parent.name != "accept")


def run_limited(mebibytes, *arguments):
    """The checker in a process of its own with this much memory."""
    code = (
        f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, ({mebibytes} << 20, {mebibytes} << 20)); "
        "path = sys.argv.pop(1); runpy.run_path(path, run_name='__main__')"
    )
    command = [sys.executable, "-I", "-S", "-c", code, CHECKER, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_short_text_of_long_numbers_takes_no_room(checker, tmp_path):
    """1e9999 in JSON, a million times on one line, is refused in a few hundred megabytes."""
    stem = CORPUS / "accept" / "median"
    lines = find_file(stem, ".drl").read_text("ascii").splitlines()
    for number, line in (
        (2, '{"flip":[%s],"leave":[1,0,0],"enter":[1,1,0]}'),
        (3, '{"outcome":"undecided","active":[%s]}'),
    ):
        path = tmp_path / f"{number}.drl"
        path.write_text(
            "\n".join([*lines[:number], line % ("1e9999," * 10**6 + "1e9999"), *lines[number + 1 :], ""]), "ascii"
        )
        done = run_limited(512, find_file(stem, ".json"), path)
        assert (done.returncode, done.stderr) == (2, "")
        assert done.stdout.startswith(f"malformed: line {number + 1}: ")


def test_claims_with_short_text_of_long_numbers_take_no_room(tmp_path):
    """Thousands of radii and bounds of 10,000 digits each (4 KB) are counted without being kept."""
    stem = CORPUS / "accept" / "claims-example"
    content = json.loads(find_file(stem, ".claims").read_text("ascii"))
    many = 10_000
    claims = [content["claims"][7] | {"counts": [6] * many, "squared_radii": "LONG"}]
    claims += [content["claims"][8] | {"counts": [7] * many, "bounds": "LONG"}]
    path = tmp_path / "a.claims"
    numbers = ",".join(f"{number}e9999" for number in range(1, many + 1))
    path.write_text(json.dumps(content | {"claims": claims}).replace('"LONG"', f"[{numbers}]"), "ascii")
    done = run_limited(64, find_file(stem, ".json"), find_file(stem, ".drl"), path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
