"""Measures the filtered arithmetic: a step in float64 forward passes, its tax, its growth, and its factor over exact.

    python benchmarks/filtered.py                   all tables; about ten minutes
    python benchmarks/filtered.py --part forward    a step against a forward pass, N = 500 and 5,000, whole walks
    python benchmarks/filtered.py --part general    other activations and losses against ReLU and the absolute loss
    python benchmarks/filtered.py --part tax        against the same kernel with certification off
    python benchmarks/filtered.py --part growth     in n, on scikit-learn's digits and on random data, and in N
    python benchmarks/filtered.py --part exact      against the exact arithmetic

The filtered arithmetic decides by floats with error bounds, and exactly where these are not enough. Its tax is the time
of a step over that of the same code without error bounds. Ratios are taken in one process, the two sides in turn. The
bars are: tax at most 1.25, a step at most 3 forward passes at N = 500 and 2 at N = 5,000, leaky ReLU and pinball at
most 1.15 times the plain problem, exponents at most 1.1 in N and 2.2 in n.
"""

import argparse
import ast
import importlib
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from forward_pass import forward_pass, seconds_a_call
from gmpy2 import mpq

from exactdrl import Instance, Walk, sample_experiment
from exactdrl.doors.arrays import from_arrays
from exactdrl.problem.loss import Loss

BATCH = 64


def seconds_a_step(walk: Walk, steps: int) -> float:
    """Returns the mean processor time of up to so many steps from here."""
    before, began = walk.steps, time.process_time()
    while walk.steps - before < steps and walk.advance(BATCH):
        pass
    return (time.process_time() - began) / max(walk.steps - before, 1)


def started(instance: Instance, *, start_rule: str | None = None) -> Walk:
    """Returns a walk at its first vertex, some steps taken."""
    walk = Walk(instance, start_rule=start_rule)
    walk.advance(BATCH)
    return walk


def digits(inputs: int, units: int) -> Instance:
    """Returns a random network on scikit-learn's digits, whole pixels: 1,797 samples; the pixels that vary most."""
    pixels, targets = importlib.import_module("sklearn.datasets").load_digits(return_X_y=True)
    source = np.random.default_rng(0)
    chosen = np.sort(np.argsort(-pixels.var(axis=0), kind="stable")[:inputs])
    weights = [source.uniform(-1, 1, (units, inputs)), source.uniform(-1, 1, (1, units))]
    biases = [source.uniform(-1, 1, units), source.uniform(-1, 1, 1)]
    return from_arrays(weights, biases, pixels[:, chosen], targets[:, None].astype(float), layer=1)


def show_forward() -> None:
    """Prints the cost of a step in forward passes, over the whole walk."""
    print(f"{'N':>7} {'steps':>7} {'exact':>6} {'µs a step':>10} {'forward, µs':>12} {'ratio':>6}  {'condition':>9}")
    for samples, limit in ((500, 10**9), (5000, 4000)):
        instance = sample_experiment(samples=samples, seed=1)
        walk = started(instance)
        forward = forward_pass(instance)
        before = seconds_a_call(forward)
        step = seconds_a_step(walk, limit)
        passes = (before + seconds_a_call(forward)) / 2
        counts = walk.counts
        if counts is None:
            raise AssertionError("a filtered walk counts its decisions")
        figures = f"{step * 1e6:10.1f} {passes * 1e6:12.1f} {step / passes:6.2f}  {counts.condition:9.2g}"
        print(f"{samples:7d} {walk.steps:7d} {counts.steps[1]:6d} {figures}", flush=True)


def show_general(*, turns: int = 9, steps: int = 256) -> None:
    """Prints the cost of a step with other activations and losses, and its ratio to the plain problem's, in turns."""
    hinge = Loss.hinge()
    kinds: dict[str, tuple[object, Loss | None]] = {
        "plain": (None, None),
        "leaky ReLU, 1/10": ((mpq(1, 10), 1), None),
        "absolute value": ((-1, 1), None),
        "pinball, 1/4": (None, Loss.pinball(mpq(1, 4))),
        "leaky, pinball": ((mpq(1, 10), 1), Loss.pinball(mpq(1, 4))),
        "leaky, hinge": ((mpq(1, 10), 1), hinge),
    }
    print(f"{'problem':>18} {'N':>6} {'µs a step':>10} {'ratio':>6}  {'in floats':>14}")
    for samples in (500, 5000):
        base = sample_experiment(samples=samples, seed=1)
        costs: dict[str, list[float]] = {name: [] for name in kinds}
        walks = {}
        for name, (activation, loss) in kinds.items():
            layers = [(layer.weight, layer.bias, activation) for layer in base.layers[:-1]]
            layers.append((base.layers[-1].weight, base.layers[-1].bias, None))
            targets = [[1 if y > 0 else -1 for y in row] for row in base.targets] if loss is hinge else base.targets
            walks[name] = started(Instance.create(layers, base.inputs, targets, start=base.start, loss=loss))
        for _ in range(turns):
            for name, walk in walks.items():
                costs[name].append(seconds_a_step(walk, steps))
        for name, own in costs.items():
            ratio = statistics.median(a / b for a, b in zip(own, costs["plain"], strict=True))
            cost = statistics.median(own) * 1e6
            counts = walks[name].counts
            floats = f"{counts.steps[0] if counts else 0:6d} of {walks[name].steps}"
            print(f"{name:>18} {samples:6d} {cost:10.1f} {ratio:6.2f}  {floats}", flush=True)


# The kernel's functions that certify, by what is left of them in a plain float code
PLAIN = {
    "vertex": """
@compiled
def move(problem: FloatProblem, vertex: FloatVertex, distance: float) -> bool:
    for p in range(vertex.direction.shape[0]):
        vertex.theta[p] += distance * vertex.direction[p]
    for depth in range(problem.widths.shape[0]):
        for unit in range(problem.widths[depth]):
            for i in range(problem.inputs.shape[1]):
                vertex.values[depth, unit, i] += distance * vertex.rates[depth, unit, i]
    clear_basis(vertex)
    vertex.scalars[AGE] += 1.0
    return True


@compiled
def exchange(problem: FloatProblem, vertex: FloatVertex, slot: int, depth: int, sample: int, unit: int) -> bool:
    n = vertex.matrix.shape[0]
    if not set_row(problem, vertex, slot, depth, sample, unit, True):
        return False
    vertex.products[:] = 0.0
    for p in range(n):
        a = vertex.matrix[slot, p]
        if a != 0.0:
            for j in range(n):
                vertex.products[j] += a * vertex.inverse[p, j]
    pivot = vertex.products[slot]
    vertex.products[slot] -= 1.0
    for p in range(n):
        factor = vertex.inverse[p, slot] / pivot
        for j in range(n):
            vertex.inverse[p, j] -= factor * vertex.products[j]
    vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2] = depth, sample, unit
    place = 0
    while vertex.order[place] != slot:
        place += 1
    for j in range(place, n - 1):
        vertex.order[j] = vertex.order[j + 1]
    vertex.order[n - 1] = slot
    return True


@compiled
def flip(problem: FloatProblem, vertex: FloatVertex, slot: int) -> bool:
    n = vertex.matrix.shape[0]
    jump, bound = gradient_jump(problem, vertex, slot)
    for p in range(n):
        vertex.gradient[p] += jump * vertex.matrix[slot, p]
    depth, sample, unit = vertex.kinks[slot, 0], vertex.kinks[slot, 1], vertex.kinks[slot, 2]
    for other in range(n):
        if vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
            c, bound = fold_coefficient(problem, vertex, slot, other)
            for p in range(n):
                vertex.inverse[p, slot] -= c * vertex.inverse[p, other]
    vertex.masks[depth, unit, sample] = 1.0 - vertex.masks[depth, unit, sample]
    for other in range(n):
        if vertex.kinks[other, 1] == sample and vertex.kinks[other, 0] > depth:
            set_row(problem, vertex, other, vertex.kinks[other, 0], sample, vertex.kinks[other, 2], False)
    return True


@compiled
def keep_inverse(vertex: FloatVertex) -> bool:
    return True
""",
    "slopes": """
@compiled
def bound_slopes(vertex: FloatVertex, slopes: Slopes) -> None:
    slopes.bounds[:] = 1e-9
    vertex.column_errors[:] = 0.0
""",
}


def build_plain(folder: Path) -> None:
    """Makes a copy of the package whose kernel has no error bounds, and compiles it.

    Every STEPS_A_SCAN steps values are still computed anew, as a plain code would, and the inverse with them.
    """
    root = Path(__file__).resolve().parent.parent
    kept = shutil.ignore_patterns(".*", "*.egg-info", "build", "demo", "tests", "docs", "coq", "records", "_kernel*")
    shutil.copytree(root, folder, ignore=kept)
    for module, text in PLAIN.items():
        path = folder / "exactdrl" / "arithmetic" / "float64" / f"{module}.py"
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            # the translator copies what follows a function's docstring
            node.body.insert(0, ast.Expr(ast.Constant("Plain.")))  # type: ignore[attr-defined]
            (old,) = [part for part in ast.parse(source).body if getattr(part, "name", "") == node.name]  # type: ignore[attr-defined]
            lines = source.splitlines()
            lines[old.decorator_list[0].lineno - 1 : old.end_lineno] = ast.unparse(node).splitlines()  # type: ignore[attr-defined]
            source = "\n".join(lines) + "\n"
        path.write_text(source, encoding="utf-8")
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    environment = os.environ | {"EXACTDRL_REQUIRE_KERNEL": "1"}
    # functions that nothing calls any more are warned of
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)  # noqa: S603


def show_tax() -> None:
    """Prints the cost of certification: the kernel against itself without bounds, in processes of their own."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain"
        build_plain(plain)
        for turn in range(4):
            costs = []
            for path in ((), (str(plain),)):
                variables = {"PYTHONPATH": os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)}
                command = [sys.executable, "-W", "error", __file__, "--part", "tax-one"]
                environment = os.environ | variables
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
                costs.append(float(done.stdout))
            if turn:
                ratios.append(costs[0] / costs[1])
                print(
                    f"certified {costs[0] * 1e6:.1f} µs a step, plain {costs[1] * 1e6:.1f} µs, tax {ratios[-1]:.2f}",
                    flush=True,
                )
    print(f"median tax {sorted(ratios)[1]:.2f}")


def show_growth() -> None:
    """Prints the cost a step as n grows, and as N grows, with the exponents between neighbours; and the memory."""
    print("n, on scikit-learn's digits: whole pixels, some of them 0 on nearly all samples")
    shapes = ((24, 1), (24, 2), (24, 5), (64, 4), (64, 10))
    show_exponents([digits(*shape) for shape in shapes], lambda walk: walk.problem.dimension)
    print("n, on random doubles of that size")
    shapes = ((24, 1), (64, 1), (64, 2), (64, 4), (64, 10))
    random = [sample_experiment((inputs, units, 1), samples=1797, seed=1) for inputs, units in shapes]
    show_exponents(random, lambda walk: walk.problem.dimension)
    print("N, on random doubles")
    numbers = (500, 1000, 2000, 5000, 10000, 20000)
    show_exponents([sample_experiment(samples=s, seed=1) for s in numbers], lambda walk: walk.problem.samples)


def show_exponents(instances: Sequence[Instance], size_of: Callable[[Walk], int]) -> None:
    """Prints a line for each instance, and the exponent fitted over all."""
    heads = ("size", "to first vertex, s", "µs a step", "exponent", "steps in floats", "peak memory, MB")
    print("  ".join(f"{head:>15}" for head in heads))
    points: list[tuple[float, float]] = []
    for instance in instances:
        began = time.process_time()
        walk = started(instance, start_rule="coordinate")
        to_first = time.process_time() - began
        step = seconds_a_step(walk, 300)
        points.append((math.log(size_of(walk)), math.log(step)))
        exponent = "-" if len(points) == 1 else f"{slope(points[-2:]):.2f}"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        floats = walk.counts.steps[0] if walk.counts else 0
        cells = (
            size_of(walk),
            f"{to_first:.2f}",
            f"{step * 1e6:.1f}",
            exponent,
            f"{floats} of {walk.steps}",
            f"{memory:.0f}",
        )
        print("  ".join(f"{cell:>15}" for cell in cells), flush=True)
    print(f"exponent fitted over all of them {slope(points):.2f}", flush=True)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Returns the slope of the line fitted to points."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def show_exact() -> None:
    """Prints the factor between exact and filtered arithmetic."""
    instance = sample_experiment(seed=1)
    exact = Walk(instance, arithmetic="exact", max_steps=2 * BATCH)
    _ = exact.vertex
    slow = seconds_a_step(exact, 2 * BATCH)
    fast = seconds_a_step(started(instance), 5000)
    print(f"exact {slow * 1e3:.2f} ms a step, filtered {fast * 1e3:.4f} ms, factor {slow / fast:.0f}")


def main() -> None:
    """Prints the tables that are asked for."""
    parts = {
        "forward": show_forward,
        "general": show_general,
        "tax": show_tax,
        "growth": show_growth,
        "exact": show_exact,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=[*parts, "tax-one"])
    part = parser.parse_args().part
    if part == "tax-one":
        print(seconds_a_step(started(sample_experiment(seed=1)), 5000))
        return
    for name in [part] if part else parts:
        print(f"-- {name}", flush=True)
        parts[name]()


if __name__ == "__main__":
    main()
