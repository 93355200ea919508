"""Times whole walks on real data and through degenerate vertices, and checks each certificate of a whole walk.

    python benchmarks/real_data.py                   the table; some minutes
    python benchmarks/real_data.py --only iris       rows whose name holds this
    python benchmarks/real_data.py --check           the stand-alone checker on every step, too, with its time

The script prints a table in Markdown. It has the steps, how many of them were certain in float64 alone, the processor
seconds of the first vertex and of the walk, how many steps were not certain, but went along an edge of the basis, and
how many left a vertex that was judged as a whole, both with the median of their milliseconds, the outcome, the answer
of the fast check, and the seconds that the stand-alone checker takes on the whole certificate. Each walk is a separate
process, which reads its instance and loads the compiled kernel. The first line names the machine, and the time of five
million additions of Python integers in a loop on it.

Trained networks are trained by PyTorch, where it is installed: Adam on the mean absolute error, all layers. Their
inputs are uniform on a cube, their targets a sine with noise. The walk begins with what the first layer has learnt.
"""

import argparse
import importlib
import importlib.util
import itertools
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filtered import digits

from exactdrl import (
    Instance,
    Step,
    Walk,
    from_torch,
    read_instance,
    record_walk,
    sample_experiment,
    verify,
    verify_fast,
    write_instance,
)
from exactdrl.doors.datasets import load_dataset

ADDITIONS = 5_000_000
# of the trainings
EPOCHS, RATE, NOISE = 2000, 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Case:
    """One walk.

    Attributes:
        name: of the row.
        source: a named data set, or the widths of the published experiment; "digits" is a random network on those of
            scikit-learn.
        samples: of the experiment.
        seed: of the experiment.
        rule: of the walk.
        is_trained: the network is trained on other data than the experiment's.
        limit: after how many steps the walk is stopped; 0 for never.
    """

    name: str
    source: str | tuple[int, ...]
    samples: int
    seed: int
    rule: str
    is_trained: bool = False
    limit: int = 0


CASES = (
    Case("diabetes 10-4-1", "diabetes", 442, 0, "steepest"),
    Case("diabetes 10-4-1", "diabetes", 442, 0, "reference"),
    Case("iris 3-3-1", "iris", 150, 0, "steepest"),
    Case("iris 3-3-1", "iris", 150, 0, "reference"),
    Case("sampled 1-8-1", (1, 8, 1), 100, 0, "reference"),
    Case("sampled 2-8-1", (2, 8, 1), 100, 0, "reference"),
    Case("sampled 1-10-10-1", (1, 10, 10, 1), 100, 0, "reference"),
    Case("sampled 1-10-10-1", (1, 10, 10, 1), 1000, 0, "reference"),
    Case("sampled 4-5-4-3-2-1", (4, 5, 4, 3, 2, 1), 200, 3, "reference"),
    Case("sampled 4-5-4-3-2-1", (4, 5, 4, 3, 2, 1), 500, 1, "reference"),
    Case("trained 1-8-1", (1, 8, 1), 100, 0, "reference", is_trained=True),
    Case("trained 2-8-1", (2, 8, 1), 100, 0, "reference", is_trained=True),
    Case("trained 1-10-10-1", (1, 10, 10, 1), 100, 0, "reference", is_trained=True),
    Case("trained 1-10-10-1", (1, 10, 10, 1), 1000, 0, "reference", is_trained=True),
    Case("sampled 29-10-1", (29, 10, 1), 30, 0, "reference"),
    Case("digits 64-10-1, begun", "digits", 1797, 0, "reference", limit=2000),
)


def processor() -> str:
    """Returns the processor's name, as the system tells it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def seconds_of_additions() -> float:
    """Returns the processor's time for ADDITIONS additions of Python integers in a loop."""
    began, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return time.process_time() - began


def seconds() -> float:
    """Returns the processor's time so far, of this process and of those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def train(widths: tuple[int, ...], samples: int, seed: int) -> Instance:
    """Returns the problem of training a trained network's first layer further.

    Args:
        widths: of the network, one output.
        samples: N.
        seed: of data and initial parameters.
    """
    torch: Any = importlib.import_module("torch")
    generator = np.random.default_rng(seed)
    inputs = generator.uniform(-1.0, 1.0, (samples, widths[0])).astype(np.float32)
    targets = np.sin(3.0 * inputs.sum(axis=1, keepdims=True)) + generator.normal(0.0, NOISE, (samples, 1))
    # several threads wait for one another, and sum in another order
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    parts: list[Any] = []
    for below, above in itertools.pairwise(widths):
        parts += [torch.nn.Linear(below, above), torch.nn.ReLU()]
    network = torch.nn.Sequential(*parts[:-1])
    x, y = torch.from_numpy(inputs), torch.from_numpy(targets.astype(np.float32))
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        torch.nn.functional.l1_loss(network(x), y).backward()
        optimizer.step()
    return from_torch(network, x, y)


def prepare(case: Case, folder: Path) -> Path:
    """Writes a case's instance, and returns its path."""
    path = folder / "a.json"
    if case.source == "digits":
        instance = digits(64, 10)
    elif isinstance(case.source, str):
        instance = load_dataset(case.source)
    elif case.is_trained:
        instance = train(case.source, case.samples, case.seed)
    else:
        instance = sample_experiment(case.source, samples=case.samples, seed=case.seed)
    write_instance(instance, path, force=True)
    return path


def run_one(path: Path, rule: str, limit: int) -> None:
    """Walks, in this process, and prints what it took as JSON."""
    began = time.process_time()
    walk = Walk(read_instance(path), rule=rule, max_steps=limit or None)
    # reading and scaling are not its part
    read = time.process_time()
    _ = walk.first_vertex
    first = time.process_time() - read
    exact: list[float] = []
    judged: list[float] = []
    last, taken = time.process_time(), 0

    def note(step: Step) -> None:
        """Keeps the time of steps that are not certain in floats, with the part of those that were taken with them."""
        nonlocal last, taken
        now, count = time.process_time(), walk.counts.steps[1] if walk.counts is not None else walk.steps
        if step.basis is not None:
            judged.append(now - last)
        elif count > taken:
            exact.extend([(now - last) / (count - taken)] * (count - taken))
        last, taken = now, count

    outcome = record_walk(walk, path.with_suffix(".drl"), force=True, on_step=note)
    seconds = time.process_time() - began
    certain = walk.counts.steps[0] if walk.counts is not None else 0
    figures = {
        "steps": walk.steps,
        "certain": certain,
        "first": first,
        "seconds": seconds,
        "exact": exact,
        "judged": judged,
    }
    print(json.dumps({**figures, "outcome": type(outcome).__name__}))


def median(times: list[float]) -> str:
    """Returns how many times there are, and their median in milliseconds."""
    return f"{len(times)}: {1000 * statistics.median(times):.0f}" if times else "none"


def measure(case: Case, *, is_checked: bool) -> list[str]:
    """Returns the cells of a case's row."""
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(case, Path(folder))
        command = [sys.executable, __file__, "--run", str(path), case.rule, str(case.limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this file
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        fast, checked = "", ""
        # of a walk that is stopped there is no outcome to check, and with so many parameters no quick one of its start
        if not case.limit:
            began = seconds()
            fast = f"{verify_fast(path, path.with_suffix('.drl')).status}, {seconds() - began:.1f}"
        if is_checked and not case.limit:
            began = seconds()
            checked = f"{verify(path, path.with_suffix('.drl')).status}, {seconds() - began:.1f}"
    steps, certain = result["steps"], result["certain"]
    return [
        case.name,
        str(case.samples),
        case.rule,
        str(steps),
        f"{100 * certain / max(steps, 1):.1f} %",
        f"{result['first']:.2f}",
        f"{result['seconds']:.2f}",
        median(result["exact"]),
        median(result["judged"]),
        result["outcome"],
        fast,
        checked,
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--check", action="store_true", help="the stand-alone checker on every step, too")
    parser.add_argument("--run", nargs=3, metavar=("INSTANCE", "RULE", "LIMIT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_one(Path(options.run[0]), options.run[1], int(options.run[2]))
        return
    # compiled here, so that no row pays for it
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(Case("", (4, 5, 4, 3, 2, 1), 100, 0, "reference"), Path(folder))
        run_one(path, "reference", 0)
        verify_fast(path, path.with_suffix(".drl"))
    print(f"{processor()}; {ADDITIONS:,} additions in {seconds_of_additions():.2f} s\n")
    heads = [
        "data",
        "N",
        "rule",
        "steps",
        "certain in float64",
        "first vertex, s",
        "walk, s",
        "exact steps, ms",
        "judged, ms",
        "outcome",
        "fast check, s",
        "checker, s",
    ]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
    has_torch = importlib.util.find_spec("torch") is not None
    if not has_torch:
        print("PyTorch is missing, and with it the rows of trained networks", file=sys.stderr)
    for case in CASES:
        if options.only in case.name and (has_torch or not case.is_trained):
            print("| " + " | ".join(measure(case, is_checked=options.check)) + " |", flush=True)


if __name__ == "__main__":
    main()
