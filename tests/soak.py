"""The nightly search for what the tests have not met: `python3 start.py soak`, or parts of it.

python tests/soak.py [--instances N] [--mutants N] [--seeds N] [--seconds S] [--first SEED]

Three parts. *Verdicts*: small random problems, judged at degenerate points and at the ends of walks, against the
enumeration of all cells by the double-description method (PPL; tests/oracle.py). *Mutants*: certificates with one to
three changes, against proofs/check.py, whose answer is compared with tests/certjudge.py. *Times*: walks of several
sizes, a hundred seeds of each; a seed that takes more than twenty times the median is a fault. Each part prints what it
has seen; the exit code is 1 if there is a fault. A fault is printed with the seed that shows it again. The first two
parts use all processors, the third one alone.
"""

import argparse
import copy
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from fractions import Fraction
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from types import ModuleType

import certjudge
import oracle
from test_certificate_fuzz import MUTATIONS, PROBLEMS, STOP, Case, judge_step_claims
from test_corpus import load_checker

from exactdrl import Instance, Walk, sample_experiment
from exactdrl.minimality.point import judge_point
from exactdrl.minimality.verdict import LocalMinimum, NotMinimum, StrictLocalMinimum, Undecided

INSTANCES, MUTANTS, SEEDS = 100_000, 1_000_000, 100
# widths and samples of walks that are timed
SIZES = [((1, 4, 1), 60), ((2, 3, 1), 100), ((2, 3, 2, 1), 60), ((4, 5, 4, 3, 2, 1), 40), ((3, 3), 200)]
SLOWEST = 20
_MOST_CELLS = 3_000
# seeds that one task of a worker has; also the mutants of one problem, so that the walks cost little
_TASK = 300
# of some seeds: how often each answer came, what is to be told, and processor seconds
Found = tuple[Counter[str], list[str], float]


# --- verdicts --------------------------------------------------------------------------------------------------------


def draw_instance(seed: int) -> tuple[Instance, bool]:
    """Returns a small problem, and whether its point is to be the end of a walk instead of its start.

    Numbers are few, so that kinks coincide, cancel and are dependent in many ways; each unit may start at 0, off on all
    samples, or on a kink; targets may be those of the start, so that residuals vanish.
    """
    rng = random.Random(seed)
    depth = rng.choice([0, 1, 1, 1, 2])
    widths = [rng.randint(1, 2), *(rng.randint(1, 3) for _ in range(depth)), rng.choice([1, 1, 1, 2])]
    layer = rng.randint(1, depth + 1)
    samples = rng.randint(1, 8)
    reach = rng.choice([1, 2, 2, 3])

    def number() -> Fraction:
        return Fraction(rng.randint(-reach, reach))

    def rows(count: int, width: int) -> list[list[Fraction]]:
        return [[number() for _ in range(width)] for _ in range(count)]

    layers = [
        (rows(widths[k + 1], widths[k]), [number() for _ in range(widths[k + 1])] if rng.random() < 0.6 else None)
        for k in range(depth + 1)
    ]
    inputs = rows(samples, widths[0])
    width = widths[layer - 1] + (layers[layer - 1][1] is not None)
    start = [[number() for _ in range(width)] for _ in range(widths[layer])]
    for unit in range(widths[layer]):
        if rng.random() < 0.4:
            start[unit] = [Fraction(0)] * width
    targets = rows(samples, widths[-1])
    problem = Instance.create(layers, inputs, targets, layer=layer, start=start)
    if rng.random() < 0.5:
        values = oracle.Problem(problem).values(oracle.to_fractions(start))
        share = rng.choice([1, 1, 0.7])
        last = len(layers)
        for sample in range(samples):
            for output in range(widths[-1]):
                if rng.random() < share:
                    targets[sample][output] += values[last, sample, output]
        problem = Instance.create(layers, inputs, targets, layer=layer, start=start)
    return problem, rng.random() < 0.4


def check_verdict(seed: int) -> str:
    """Returns what a seed has shown, in a word or two; those that begin with FAULT are faults."""
    instance, is_end = draw_instance(seed)
    parameters = instance.start
    if is_end:
        walk = Walk(instance, max_steps=60)
        walk.run()
        parameters = walk.vertex
    verdict = judge_point(instance, parameters).verdict
    problem = oracle.Problem(instance)
    try:
        truth = oracle.decide_minimality(problem, oracle.to_fractions(parameters), max_cells=_MOST_CELLS)
    except oracle.TooManyCellsError:
        return "too many cells for the oracle"
    match verdict:
        case NotMinimum():
            return "FAULT: a minimum is refuted" if truth.is_minimum else "not a minimum"
        case Undecided():
            return "undecided"
        case _ if not truth.is_minimum:
            return "FAULT: no minimum, but one is proved"
        case StrictLocalMinimum():
            return "strict minimum" if truth.is_strict else "FAULT: not strict, but proved"
        case LocalMinimum() if truth.is_strict:
            return f"minimum, strict but not said so ({verdict.by})"
    return "minimum, not strict"


# --- mutants ---------------------------------------------------------------------------------------------------------


@cache
def load_mutant_checker() -> ModuleType:
    """Returns the checker, which finds the prime of an instance once for all mutants."""
    checker = load_checker()
    walks = checker.parts["walks"]
    walks.find_prime = cache(walks.find_prime)
    return checker


def check_mutant(checker: ModuleType, case: Case, rng: random.Random) -> str:
    """Returns what the checker has said of a changed certificate; FAULT where the other oracle says otherwise."""
    lines = copy.deepcopy(rng.choice(case.runs))
    for mutate in rng.choices(MUTATIONS, k=rng.randint(1, 3)):
        mutate(case, lines, rng)
    code, text = case.check(checker, lines)
    if code not in {0, 1}:
        return f"FAULT: {text.strip()}"
    theta = judge_step_claims(case, lines)
    # what rejects a file may be its outcome alone; an accepted one has accepted steps
    says = case.check(checker, [*lines[:-1], STOP])[0] if code else 0
    if says != (1 if theta is None else 0):
        return f"FAULT: steps are {'false' if theta is None else 'true'}, but {text.strip()}"
    if code == 0:
        try:
            certjudge.judge_outcome(case.problem, theta, lines[-1])
        except oracle.TooManyCellsError:
            return "accepted, the outcome too large for the oracle"
        except certjudge.FalseClaimError as error:
            return f"FAULT: accepted, but {error}"
    return ["accepted", "rejected"][code]


# --- times -----------------------------------------------------------------------------------------------------------


def time_walk(widths: tuple[int, ...], samples: int, seed: int) -> float:
    """Returns the processor seconds of a walk, from the instance to the verdict."""
    instance = sample_experiment(widths, samples=samples, seed=seed)
    began = time.process_time()
    Walk(instance).run()
    return time.process_time() - began


def check_times(widths: tuple[int, ...], samples: int, seeds: range) -> tuple[str, bool]:
    """Returns the distribution over seeds in words, and whether none is slower than twenty times the median."""
    times = {seed: time_walk(widths, samples, seed) for seed in seeds}
    middle = median(times.values())
    worst = max(times, key=lambda seed: times[seed])
    is_fine = times[worst] <= SLOWEST * middle
    tenths = quantiles(times.values(), n=10) if len(times) > 1 else [middle] * 9
    words = (
        f"{widths}, {samples} samples, {len(times)} seeds: median {middle:.3f} s, tenth {tenths[0]:.3f}, "
        f"nine tenths {tenths[-1]:.3f}, greatest {times[worst]:.3f} (seed {worst})"
    )
    return words + ("" if is_fine else f" FAULT: more than {SLOWEST} times the median"), is_fine


# --- the command -----------------------------------------------------------------------------------------------------


def _check_verdicts(deadline: float | None, seeds: range) -> Found:
    return _collect(deadline, seeds, check_verdict)


def _check_mutants(deadline: float | None, seeds: range) -> Found:
    with tempfile.TemporaryDirectory(prefix="exactdrl-soak-") as name:
        find_case = cache(lambda group: Case(Path(name), group % len(PROBLEMS), group))
        return _collect(
            deadline,
            seeds,
            lambda seed: check_mutant(load_mutant_checker(), find_case(seed // _TASK), random.Random(seed)),
        )


def _collect(deadline: float | None, seeds: range, check: Callable[[int], str]) -> Found:
    found, told, began = Counter[str](), list[str](), time.process_time()
    for seed in _until(deadline, seeds):
        words = check(seed)
        found[words] += 1
        if words.startswith(("FAULT", "undecided")) or "not said" in words:
            told.append(f"  seed {seed}: {words}")
    return found, told, time.process_time() - began


def _until(deadline: float | None, seeds: range) -> Iterator[int]:
    for seed in seeds:
        if deadline is not None and time.monotonic() > deadline:
            return
        yield seed


def soak(
    title: str,
    check: Callable[[float | None, range], Found],
    seeds: range,
    deadline: float | None,
    jobs: int,
) -> bool:
    """Runs one of the first two parts, and returns whether there was no fault."""
    found, seconds = Counter[str](), 0.0
    tasks = [range(seed, min(seed + _TASK, seeds.stop)) for seed in range(seeds.start, seeds.stop, _TASK)]
    with ProcessPoolExecutor(min(jobs, len(tasks) or 1), get_context("spawn")) as pool:
        for future in as_completed([pool.submit(check, deadline, task) for task in tasks]):
            some, told, spent = future.result()
            found += some
            seconds += spent
            for line in told:
                print(line, flush=True)
    print(f"{title}: {found.total():,} in {seconds:.0f} s of processor time")
    for words, count in found.most_common():
        print(f"  {count:>9,}  {words}")
    sys.stdout.flush()
    return not any(words.startswith("FAULT") for words in found)


def soak_times(count: int, first: int, deadline: float | None) -> bool:
    """Runs the third part."""
    is_fine = True
    for widths, samples in SIZES:
        if count and (deadline is None or time.monotonic() < deadline):
            words, fine = check_times(widths, samples, range(first, first + count))
            print(f"  {words}", flush=True)
            is_fine = is_fine and fine
    return is_fine


def main() -> int:
    """Runs all parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=INSTANCES)
    parser.add_argument("--mutants", type=int, default=MUTANTS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each size whose walks are timed")
    parser.add_argument("--seconds", type=float, help="at most so long for each part")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes of the first two parts")
    options = parser.parse_args()
    first, is_fine = options.first, True
    for title, check, count in (
        ("verdicts against double description", _check_verdicts, options.instances),
        ("mutants against proofs/check.py", _check_mutants, options.mutants),
    ):
        is_fine = (
            soak(title, check, range(first, first + count), _find_deadline(options.seconds), options.jobs) and is_fine
        )
    is_fine = soak_times(options.seeds, first, _find_deadline(options.seconds)) and is_fine
    return 0 if is_fine else 1


def _find_deadline(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


if __name__ == "__main__":
    sys.exit(main())
