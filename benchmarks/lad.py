"""Compares exact least absolute deviations (rule long-step) with HiGHS, HiGHS and an exact check, and exact LP solvers.

    python benchmarks/lad.py                      # as in docs/speed.md: up to 20 minutes, most of it over limits
    python benchmarks/lad.py --limit 10 --sizes 5x500,25x500 --solvers highs,qsopt

The data are random float64 numbers, with an intercept beside p inputs. There are three families: generic data, columns
that are collinear up to 1e-10, and interpolated targets y = fl(X b). Every solver gets the same LP, max y·λ with
Xᵀλ = 0 and |λ| ≤ 1. It has p + 1 rows and is the form that is fastest for all of them. Solvers other than exactdrl and
HiGHS run in another process, so that they can be stopped. A solver over its limit of CPU time at few inputs is not run
again in that family. The script needs scipy beside the package; qsopt-ex and glpk-utils (Debian), pplpy and z3-solver
(PyPI) are optional.

HiGHS + check is what a careful user would do: solve, take the final basis, solve that exactly by FLINT, and look at the
exact signs of all residuals and the exact multipliers. Where the basis is not optimal the value is no optimum.

glpsol --exact is exact on other data than given: it replaces each number by a short ratio within 1e-9 (set_d_eps in its
source). On the last two families that moves the optimum, and the table says WRONG.
"""

import argparse
import importlib
import math
import multiprocessing
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
from flint import fmpq_mat, fmpz_mat
from gmpy2 import mpq

from exactdrl import Instance, Walk, record_walk, verify, write_instance
from exactdrl.doors.arrays import from_regression

SIZES = "5x500,25x500,5x2000,25x2000,5x20000,25x20000"
SOLVERS = "highs,qsopt,glpsol,ppl,z3"


@dataclass
class Problem:
    """X with a column of ones, y: float64."""

    family: str
    inputs: int
    x: np.ndarray
    y: np.ndarray

    @property
    def name(self) -> str:
        """Returns family and sizes."""
        return f"{self.family:<12} {self.inputs:>3} {len(self.y):>6}"


def draw(family: str, inputs: int, samples: int, seed: int) -> Problem:
    """Returns a random problem."""
    source = np.random.default_rng(seed)
    x = source.uniform(-3, 3, (samples, inputs))
    if family == "collinear":
        x = x[:, :1] + 1e-10 * source.standard_normal((samples, inputs))
    x = np.hstack([x, np.ones((samples, 1))])
    y = x @ source.uniform(-1, 1, inputs + 1)
    if family != "interpolated":
        y += source.standard_normal(samples)
    return Problem(family, inputs, x, y)


class Clock:
    """Wall and CPU seconds of a block."""

    def __enter__(self) -> Self:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu


# -- HiGHS, and the exact check of its basis


def solve_highs(problem: Problem) -> np.ndarray:
    """Returns λ by HiGHS' dual simplex."""
    zeros = np.zeros(problem.x.shape[1])
    linprog: Any = importlib.import_module("scipy.optimize").linprog
    solved = linprog(-problem.y, A_eq=problem.x.T, b_eq=zeros, bounds=(-1, 1), method="highs-ds")
    found: np.ndarray = solved.x if solved.status == 0 else zeros
    return found


def to_integers(problem: Problem) -> tuple[list[int], list[int], int]:
    """Returns X and y as integers with one common power of 2."""
    entries = np.column_stack([problem.x, problem.y])
    mantissas, exponents = np.frexp(entries)
    least = int(exponents[mantissas != 0].min()) - 53
    shifts = (exponents - 53 - least).ravel().tolist()
    integers = [int(m) << s if m else 0 for m, s in zip((mantissas * 2.0**53).ravel().tolist(), shifts, strict=True)]
    width = entries.shape[1]
    rows = [entry for index, entry in enumerate(integers) if index % width < width - 1]
    return rows, integers[width - 1 :: width], -least


def check_basis(problem: Problem, rows: list[int], right: list[int], bits: int, multipliers: np.ndarray) -> mpq | None:
    """Returns the exact optimum if HiGHS' final basis is optimal, None if it is not. Exact."""
    count, n = problem.x.shape
    basis = sorted(np.argsort(np.abs(multipliers), kind="stable")[:n].tolist())
    x = fmpz_mat(count, n, rows)
    own = fmpz_mat(n, n, [rows[i * n + j] for i in basis for j in range(n)])
    try:
        solved = fmpq_mat(own).solve(fmpq_mat(fmpz_mat(n, 1, [right[i] for i in basis])))
    except ZeroDivisionError:
        return None
    numerators, denominator = solved.numer_denom()
    residuals = (fmpz_mat(count, 1, right) * denominator - x * numerators).entries()
    inside = set(basis)
    signs = [0 if i in inside else (r > 0) - (r < 0) for i, r in enumerate(residuals)]
    if signs.count(0) != n:
        # degenerate: which signs to take is a linear program of its own
        return mpq(0) if not any(signs) else None
    gradient = (fmpz_mat(1, count, signs) * x).transpose()
    solved = fmpq_mat(own.transpose()).solve(fmpq_mat(gradient))
    if any(abs(entry) > 1 for entry in solved.entries()):
        return None
    return mpq(sum(abs(int(r)) for r in residuals), int(denominator) << bits)


# -- exact solvers, each in a process of its own


def write_lp(problem: Problem, path: Path, number: Callable[[float], str]) -> None:
    """Writes min -y·λ in the LP format."""

    def terms(values: np.ndarray) -> str:
        parts = (f"{'-' if v < 0 else '+'} {number(abs(v))} l{i}" for i, v in enumerate(values.tolist()) if v)
        return "\n ".join(parts)

    with path.open("w", encoding="ascii") as stream:
        stream.write(f"Minimize\n obj: {terms(-problem.y)}\nSubject To\n")
        for j in range(problem.x.shape[1]):
            stream.write(f" c{j}: {terms(problem.x[:, j])} = 0\n")
        stream.write("Bounds\n")
        for i in range(len(problem.y)):
            stream.write(f" -1 <= l{i} <= 1\n")
        stream.write("End\n")


def run_command(command: list[str], limit: float) -> tuple[float, float] | None:
    """Returns wall and CPU seconds of a command, None if the system stops it at the limit of CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    limited = ["prlimit", f"--cpu={math.ceil(limit)}", *command]
    done = subprocess.run(limited, capture_output=True, check=False)  # noqa: S603
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


Result = tuple[float, float, mpq | float | None] | None | str


def run_qsopt(problem: Problem, limit: float) -> Result:
    """QSopt_ex, by its program esolver on a file with exact ratios."""
    if shutil.which("esolver") is None:
        return "not there"
    with tempfile.TemporaryDirectory() as folder:
        model, solution = Path(folder) / "m.lp", Path(folder) / "m.sol"
        write_lp(problem, model, lambda v: str(Fraction(v)))
        times = run_command(["esolver", "-L", "-d", "7", "-O", str(solution), str(model)], limit)
        if times is None:
            return None
        found = re.search(r"Value = (\S+)", solution.read_text(encoding="ascii")) if solution.exists() else None
        return (*times, -mpq(found[1])) if found else "no optimum"


def run_glpsol(problem: Problem, limit: float) -> Result:
    """GLPK's exact simplex; it prints its value in floats only."""
    if shutil.which("glpsol") is None:
        return "not there"
    with tempfile.TemporaryDirectory() as folder:
        model, solution = Path(folder) / "m.lp", Path(folder) / "m.sol"
        write_lp(problem, model, repr)
        times = run_command(["glpsol", "--exact", "--lp", str(model), "-o", str(solution)], limit)
        if times is None:
            return None
        text = solution.read_text(encoding="ascii") if solution.exists() else ""
        found = re.search(r"Objective:\s+obj = (\S+)", text)
        return (*times, -float(found[1])) if found and "OPTIMAL" in text else "no optimum"


def run_in_child(target: Callable[[Problem], mpq], problem: Problem, limit: float) -> Result:
    """Runs a Python solver in a child; its clock starts when the data are there."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def work() -> None:
        used, bound = math.ceil(time.process_time()), math.ceil(limit)
        resource.setrlimit(resource.RLIMIT_CPU, (used + bound, used + bound))
        try:
            with Clock() as clock:
                value = target(problem)
            theirs.send((clock.wall, clock.cpu, str(value)))
        except ImportError:
            theirs.send("not there")

    child = context.Process(target=work)
    child.start()
    theirs.close()
    try:
        sent = ours.recv()
    except EOFError:
        child.join()
        return None if child.exitcode in (-signal.SIGXCPU, -signal.SIGKILL) else "failed"
    child.join()
    return sent if isinstance(sent, str) else (sent[0], sent[1], mpq(sent[2]))


def solve_ppl(problem: Problem) -> mpq:
    """PPL's exact simplex."""
    from ppl import Linear_Expression, MIP_Problem, Variable  # noqa: PLC0415

    integers, right, bits = to_integers(problem)
    count, n = problem.x.shape
    program = MIP_Problem(count)
    for i in range(count):
        program.add_constraint(Variable(i) >= -1)
        program.add_constraint(Variable(i) <= 1)
    for j in range(n):
        program.add_constraint(Linear_Expression(integers[j::n], 0) == 0)
    program.set_objective_function(Linear_Expression(right, 0))
    program.set_optimization_mode("maximization")
    return mpq(str(program.optimal_value())) / (mpq(2) ** bits)


def solve_z3(problem: Problem) -> mpq:
    """Z3's optimiser on linear real arithmetic."""
    z3: Any = importlib.import_module("z3")
    count, n = problem.x.shape
    variables = [z3.Real(f"l{i}") for i in range(count)]
    program = z3.Optimize()

    def combine(values: np.ndarray) -> object:
        return z3.Sum([z3.RealVal(str(Fraction(v))) * variable for v, variable in zip(values, variables, strict=True)])

    for variable in variables:
        program.add(variable >= -1, variable <= 1)
    for j in range(n):
        program.add(combine(problem.x[:, j].tolist()) == 0)
    goal = program.maximize(combine(problem.y.tolist()))
    if program.check() != z3.sat:
        raise RuntimeError("Z3 found no optimum")
    return mpq(program.upper(goal).as_fraction())


EXACT: dict[str, Callable[[Problem, float], Result]] = {
    "qsopt": run_qsopt,
    "glpsol": run_glpsol,
    "ppl": lambda problem, limit: run_in_child(solve_ppl, problem, limit),
    "z3": lambda problem, limit: run_in_child(solve_z3, problem, limit),
}


# -- the table


@dataclass
class Own:
    """What exactdrl took: reading the arrays, scaling, solving, the exact loss."""

    read: Clock
    scale: Clock
    solve: Clock
    value: mpq
    steps: int
    instance: Instance


def run_own(problem: Problem) -> Own:
    """Runs the rule long-step."""
    with Clock() as read:
        instance = from_regression(problem.x[:, :-1], problem.y)
    with Clock() as scale:
        walk = Walk(instance, rule="long-step")
    with Clock() as solve:
        walk.run()
        value = walk.loss
    return Own(read, scale, solve, value, walk.steps, instance)


def shown(result: Result, value: mpq) -> str:
    """Returns a cell: wall/CPU seconds, and whether the value is exactdrl's."""
    if result is None:
        return "over limit"
    if isinstance(result, str):
        return result
    wall, cpu, found = result
    same = found == value if isinstance(found, mpq) else found is not None and math.isclose(found, value, rel_tol=1e-8)
    return f"{wall:.3g}/{cpu:.3g} {'=' if isinstance(found, mpq) else '~'}" if same else f"{wall:.3g}/{cpu:.3g} WRONG"


def check_certificate(own: Own, folder: Path) -> str:
    """Records the walk and lets the stand-alone checker judge it."""
    write_instance(own.instance, folder / "i.json", force=True)
    record_walk(Walk(own.instance, rule="long-step"), folder / "r.drl", force=True)
    return verify(folder / "i.json", folder / "r.drl").status


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES, help="INPUTSxSAMPLES,...")
    parser.add_argument("--families", default="generic,collinear,interpolated")
    parser.add_argument("--solvers", default=SOLVERS)
    parser.add_argument("--limit", type=float, default=60.0, help="CPU seconds for each exact solver")
    parser.add_argument("--repeats", type=int, default=3, help="of exactdrl and HiGHS; the least CPU time counts")
    parser.add_argument("--check-up-to", type=int, default=2000, help="samples up to which certificates are checked")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    names = [name for name in chosen.solvers.split(",") if name in EXACT]
    print("seconds, wall/CPU; = the same rational as exactdrl's, ~ its value as far as printed")
    print("ratio: CPU of exactdrl's solve over HiGHS + check; total: reading and scaling counted on both sides")
    heads = [
        "read",
        "scale",
        "exactdrl",
        "HiGHS",
        "to integers",
        "check",
        "basis",
        "ratio",
        "total",
        *names,
        "certificate",
    ]
    print(f"{'family':<12} {'p':>3} {'N':>6}  steps  " + "  ".join(f"{head:>12}" for head in heads), flush=True)
    over: set[tuple[str, str]] = set()
    for family in chosen.families.split(","):
        for size in chosen.sizes.split(","):
            inputs, samples = map(int, size.split("x"))
            print_row(draw(family, inputs, samples, chosen.seed), chosen, names, over)


def print_row(problem: Problem, chosen: argparse.Namespace, names: list[str], over: set[tuple[str, str]]) -> None:
    """Prints one line."""
    owns = [run_own(problem) for _ in range(chosen.repeats)]
    own = min(owns, key=lambda one: one.solve.cpu)
    trials = []
    for _ in range(chosen.repeats):
        with Clock() as highs:
            multipliers = solve_highs(problem)
        with Clock() as convert:
            integers = to_integers(problem)
        with Clock() as check:
            value = check_basis(problem, *integers, multipliers)
        trials.append((highs, convert, check, value))
    highs, convert, check, value = min(trials, key=lambda trial: trial[0].cpu + trial[2].cpu)
    status = "not optimal" if value is None else "optimal" if value == own.value else "DIFFERS"
    ratio = own.solve.cpu / (highs.cpu + check.cpu)
    total = (own.read.cpu + own.scale.cpu + own.solve.cpu) / (highs.cpu + convert.cpu + check.cpu)
    cells = [f"{c.wall:.3g}/{c.cpu:.3g}" for c in (own.read, own.scale, own.solve, highs, convert, check)]
    cells += [status, f"{ratio:.2f}", f"{total:.2f}"]
    for name in names:
        key = (problem.family, name)
        if key in over:
            cells.append("-")
            continue
        result = EXACT[name](problem, chosen.limit)
        if result is None and problem.inputs <= 5:
            over.add(key)
        cells.append(shown(result, own.value))
    if len(problem.y) <= chosen.check_up_to:
        with tempfile.TemporaryDirectory() as folder:
            cells.append(check_certificate(own, Path(folder)))
    else:
        cells.append("-")
    print(f"{problem.name}  {own.steps:>5}  " + "  ".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
