"""The compiled kernel: it is the Python source, bit for bit, rounds each operation, and is never older than its sources."""

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from exactdrl import Walk, sample_experiment
from exactdrl.arithmetic import native
from exactdrl.arithmetic.filtered import FilteredArithmetic
from exactdrl.arithmetic.float64 import arrays, follow, kernel, scan, sources, start, vertex
from exactdrl.arithmetic.float64.problem import to_float_problem
from exactdrl.arithmetic.float64.start import set_coordinates
from exactdrl.arithmetic.float64.state import empty_slopes, empty_vertex

ROOT = Path(__file__).parent.parent
SHAPES = [((2, 3, 1), 30, 53), ((3, 4, 2, 1), 300, 53), ((2, 3, 2), 25, 6), ((1, 8, 1), 60, 53), ((4, 9, 1), 40, 20)]
SEARCHES = (kernel.CUMULATIVE, kernel.STEEPEST, kernel.FIRST)


def variants():
    """Returns the compiled modules that this processor can run."""
    baseline = importlib.import_module("exactdrl.arithmetic._kernel")
    return (
        [baseline, importlib.import_module("exactdrl.arithmetic._kernel_avx2")] if baseline.has_avx2() else [baseline]
    )


def plain(monkeypatch):
    """Returns the same functions as Python, with the loops that are compiled in place of NumPy's."""
    for module in (vertex, kernel, follow, start):
        for name in ("scan_values", "scan_rates", "move_values", "count_unsure", "set_defect"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(scan, name))
    return SimpleNamespace(
        load=kernel.load, begin=kernel.begin, walk_steps=kernel.walk_steps, follow_steps=follow.follow_steps,
        take_in_kinks=start.take_in_kinks, take_in_one=start.take_in_one,
    )  # fmt: skip


def bits(*parts):
    """Returns arrays' bits, with the sign of a 0."""
    return [array.tobytes() for part in parts for array in part]


def test_the_kernel_is_compiled():
    """The other tests run the compiled kernel, and for this processor."""
    assert native.IS_COMPILED
    assert native._compiled is variants()[-1]
    assert vertex.LARGEST == 2.0**200


@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_and_plain_agree_bit_for_bit(monkeypatch, shape):
    """After the same steps of each rule every array has the same bits: translation, rounding and order are as written."""
    widths, samples, precision = shape
    instance = sample_experiment(widths, samples=samples, seed=3, bits=precision)
    walk = Walk(instance)
    problem, at = walk.problem, walk.stepper.arithmetic
    python, steps = plain(monkeypatch), 0
    for search in SEARCHES:
        results = []
        for functions in (python, *variants()):
            floats = to_float_problem(problem)
            loaded = FilteredArithmetic(problem, at.pattern, at.basis)
            if not loaded._load():
                continue
            state, slopes = loaded._vertex, empty_slopes(floats)
            sound = functions.load(floats, state) and functions.begin(floats, state)
            records, flips = (
                np.zeros((12, kernel.RECORD), dtype=np.int64),
                np.zeros((12 * problem.dimension, 3), np.int64),
            )
            taken, end = functions.walk_steps(floats, state, slopes, search, records, flips) if sound else (0, -1)
            steps += taken
            results.append((sound, taken, end, bits(floats, state, slopes, [records, flips])))
        for result in results[1:]:
            assert result == results[0]
    assert steps


def test_following_and_phase_1_agree_bit_for_bit(monkeypatch):
    """The other two ways into the kernel."""
    instance = sample_experiment((3, 4, 2, 1), samples=40, seed=1)
    walk = Walk(instance, rule="steepest", start_rule="coordinate")
    problem, python = walk.problem, plain(monkeypatch)
    pattern, basis = walk.stepper.arithmetic.pattern.copy(), list(walk.stepper.arithmetic.basis)
    moves = [step for step in (walk.advance(6)) if not step.basis]
    first, results = problem.first, []
    steps = np.array([[*step.leaving, *step.entering] for step in moves], dtype=np.int64)
    flips = np.array([kink for step in moves for kink in step.flips], dtype=np.int64).reshape(-1, 3)
    steps[:, [0, 3]] -= first
    flips[:, 0] -= first
    ends = np.cumsum([len(step.flips) for step in moves], dtype=np.int64)
    for functions in (python, *variants()):
        at = FilteredArithmetic(problem, pattern, basis)
        assert at._load()
        assert functions.load(at._floats, at._vertex)
        assert functions.begin(at._floats, at._vertex)
        slopes = empty_slopes(at._floats)
        taken = functions.follow_steps(at._floats, at._vertex, slopes, steps, ends, flips)
        assert taken == len(moves)
        results.append(bits(at._vertex, slopes))
        floats, n = to_float_problem(problem), problem.dimension
        state = empty_vertex(floats)
        begin = np.array([float(value) for value in problem.to_reduced(instance.start)])
        vertex.set_masks(state, pattern)
        set_coordinates(state, begin)
        state.inverse[:] = np.eye(n)
        assert functions.load(floats, state)
        assert functions.begin(floats, state)
        found, rivals = np.zeros((n, 4), dtype=np.int64), np.zeros(n, dtype=np.int64)
        end = functions.take_in_kinks(floats, state, empty_slopes(floats), begin, 0, False, found, rivals)
        results[-1] += [tuple(end), *bits(state, [found, rivals])]
        set_coordinates(state, begin)
        state.inverse[:] = np.eye(n)
        assert functions.load(floats, state)
        assert functions.begin(floats, state)
        vertex.set_direction(state, 0, 1.0)
        depth, unit, sample = arrays.scan_rates(floats, state)
        is_taken = functions.take_in_one(floats, state, begin, 0, 1.0, depth, sample, unit)
        results[-1] += [bool(is_taken), *bits(state, [])]
    assert all(result == results[0] for result in results)
    assert end[0] > 0
    assert is_taken


@pytest.mark.parametrize("module", variants(), ids=lambda module: module.__name__.rpartition(".")[2])
def test_operations_round_one_by_one(module):
    """a · b + c differs from a fused one on these; wider intermediate results would show, too."""
    product_and_sum = module.product_and_sum
    assert product_and_sum(1.0 + 2.0**-30, 1.0 - 2.0**-30, -1.0) == 0.0
    assert product_and_sum(1.0 + 2.0**-52, 1.0 + 2.0**-52, -(1.0 + 2.0**-51)) == 0.0
    assert product_and_sum(3.0, 2.0**-1074, -(2.0**-1073)) == 2.0**-1074
    assert product_and_sum(2.0**1023, 2.0, -(2.0**1023)) == np.inf
    random = np.random.default_rng(0)
    for a, b, c in random.normal(size=(300, 3)).tolist():
        assert product_and_sum(a, b, c) == a * b + c
    fused = SimpleNamespace(product_and_sum=lambda a, b, c: -(2.0**-60))
    assert native.rounds_each_operation(module)
    assert not native.rounds_each_operation(fused)


@pytest.mark.skipif(shutil.which("objdump") is None, reason="objdump is not installed")
@pytest.mark.parametrize("module", variants(), ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_instruction_fuses(module):
    """The machine code multiplies and adds floats, and has no instruction that does both."""
    code = subprocess.run(["objdump", "-d", module.__file__], capture_output=True, text=True, check=True).stdout
    assert re.search(r"\bv?mulpd\b|\bfmul\b", code)
    assert not re.search(r"\bv?fn?m(add|sub)|\bfml[as]\b", code)


def test_no_place_outside_an_array_is_touched(tmp_path):
    """A kernel that checks each place walks as the other does, and reports none: compiled code does not look."""
    kept = shutil.ignore_patterns(".*", "*.egg-info", "build", "demo", "tests", "docs", "coq", "records", "_kernel*")
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=kept)
    environment = os.environ | {"EXACTDRL_CHECKED_KERNEL": "1", "EXACTDRL_REQUIRE_KERNEL": "1", "PYTHONPATH": str(copy)}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=True)
    code = (
        "from exactdrl import Walk, sample_experiment; from exactdrl.arithmetic import native\n"
        "print(native._compiled.__file__)\n"
        f"for widths, samples, seed, bits in {[(*shape[:2], 3, shape[2]) for shape in SHAPES]}:\n"
        "    instance = sample_experiment(widths, samples=samples, seed=seed, bits=bits)\n"
        "    for rule, start in (('reference', None), ('steepest', 'coordinate'), ('first', None)):\n"
        "        print(list(Walk(instance, rule=rule, start_rule=start, max_steps=60)))\n"
    )
    runs = [
        subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
        for variables in (environment, os.environ)
    ]  # fmt: skip
    assert runs[0].stderr == ""
    places, steps = zip(*(run.stdout.split("\n", 1) for run in runs), strict=True)
    assert places[0].startswith(str(copy))
    assert places[1].startswith(str(Path(native.__file__).parent))
    assert steps[0] == steps[1]
    # the check is there: a walk over masks that are too short is reported
    code = (
        "import numpy as np; from exactdrl.arithmetic import native; from exactdrl.arithmetic.float64 import problem, state\n"
        "from exactdrl import Walk, sample_experiment\n"
        "floats = problem.to_float_problem(Walk(sample_experiment((2, 3, 1), samples=12, seed=1)).problem)\n"
        "native.load(floats, state.empty_vertex(floats)._replace(masks=np.zeros((1, 1, 1))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "Out of bounds" in done.stderr


def test_stale_code_is_not_run(monkeypatch):
    """A change in any compiled module, a kernel that fuses, or none: Python runs, and a warning says so."""
    honest = Path.read_bytes
    folder = Path(kernel.__file__).parent
    assert native.find_compiled() is not None
    for name in sources.MODULES:
        changed = folder / f"{name}.py"
        monkeypatch.setattr(Path, "read_bytes", lambda path, changed=changed: honest(path) + b"#" * (path == changed))
        with pytest.warns(native.SlowKernelWarning, match="sources changed"):
            assert native.find_compiled() is None
    monkeypatch.setattr(Path, "read_bytes", honest)
    monkeypatch.setattr(native, "rounds_each_operation", lambda module: False)
    with pytest.warns(native.SlowKernelWarning, match="fuses operations"):
        assert native.find_compiled() is None
    monkeypatch.setitem(sys.modules, "exactdrl.arithmetic._kernel", None)
    with pytest.warns(native.SlowKernelWarning, match="no compiled kernel"):
        assert native.find_compiled() is None
    monkeypatch.setenv(native.SWITCH, "1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert native.find_compiled() is None


def translated(text, tmp_path):
    """Returns what is made of one module."""
    (tmp_path / "one.py").write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("translate", ROOT / "native" / "translate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["translate"] = module
    spec.loader.exec_module(module)
    return module.translate(tmp_path, ["one"], "0")


def test_translation(tmp_path):
    """Bodies are copied whole, with a docstring or without; types follow from what is assigned."""
    head = "@compiled\ndef f(a: Vector, n: int) -> float:\n"
    body = "    total, count = 0.0, 0\n    for i in range(n):\n        total += a[i]\n        count += a[i] > BAR\n    return total"
    variables = ["cdef int64_t i", "cdef double total", "cdef int64_t count"]
    for docstring in ("", '    """Adds."""\n', '    """Adds.\n\n    More.\n    """\n'):
        text = translated(f"BAR = 2.0**-3\n\n\n{head}{docstring}{body}\n", tmp_path)
        lines = text[text.index("cdef double f(") :].splitlines()
        assert lines[0] == "cdef double f(double[::1] a, int64_t n) noexcept nogil:"
        assert sorted(map(str.strip, lines[1:4])) == sorted(variables)
        assert "\n".join(lines[4:]).strip("\n") == body
        assert "#define exactdrl_BAR 0x1.0000000000000p-3" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@compiled\ndef f(n: int) -> int:\n    a = [n]\n    return n\n", "not known"),
        ("@compiled\ndef f(n: str) -> list[int]:\n    return n\n", "no type of C"),
        ("@compiled\ndef f() -> None:\n    g()\n" * 2, "stands in another module"),
    ],
)
def test_what_has_no_translation_is_an_error(text, message, tmp_path):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=message):
        translated(text, tmp_path)


def test_every_module_that_is_compiled_is_in_the_digest():
    """A function that is marked stands in one of the modules whose contents are compared."""
    marked = {
        path.stem for path in Path(kernel.__file__).parent.glob("*.py") if re.search(r"^@(compiled|exported)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }  # fmt: skip
    assert marked <= set(sources.MODULES)
    assert set(sources.MODULES) - marked == {"state"}
