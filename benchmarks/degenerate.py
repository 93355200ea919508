"""Counts how often walks meet degenerate vertices, what is decided there, and where the published rule stops wrongly.

A vertex is degenerate if more kinks meet there than there are parameters. The script prints a table in Markdown, and
the seeds of the cases. The table says for each architecture how many walks meet a degenerate vertex, how many the
published rule stops at a vertex that is no local minimum, and how the verdicts at the ends are distributed.
docs/published-stop.md shows both. Every walk is reproduced by its architecture and seed:

    exactdrl sample --widths W --samples N --seed S --bits B -o a.json
    exactdrl walk a.json -o a.drl

With --check, each end is judged anew from an instance that starts there, and proofs/check.py checks the certificate.
With --records, each walk's result is kept in a file as it ends. Walks whose results are there are not run again, so
that a long table can be made in parts. A record does not say which version of the package made it.

    python benchmarks/degenerate.py [--widths 2,3,1] [--seeds 0-9,17] [--bits 12] [--processes 2] [--limit 300]
                                    [--check] [--records FILE]
"""

import argparse
import json
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import Pool
from pathlib import Path

from exactdrl import (
    Instance,
    LocalMinimum,
    StrictLocalMinimum,
    Undecided,
    Walk,
    record_walk,
    sample_experiment,
    verify,
    write_instance,
)
from exactdrl.cells.kinks import Kink
from exactdrl.steps.first_vertex import FirstVertex

# widths, samples, number of seeds from 0
CAMPAIGNS = (((2, 3, 1), 20, 300), ((3, 4, 2, 1), 40, 300), ((4, 5, 4, 3, 2, 1), 100, 30))
OUT_OF_TIME = "out of time"
STEPS_AT_ONCE = 256
COLUMNS = (
    "widths",
    "N",
    "bits",
    "runs",
    "steps",
    "meet a degenerate vertex",
    "stop wrongly",
    "strict minima",
    "minima",
    "of both, by the tree",
    "undecided",
    OUT_OF_TIME,
    "checked",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One walk to run."""

    widths: tuple[int, ...]
    samples: int
    seed: int
    bits: int
    limit: int
    is_checked: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What one walk did.

    Attributes:
        case: the walk.
        outcome: the verdict's name, or OUT_OF_TIME.
        by: what proves it, empty if undecided.
        steps: of phase 2.
        is_degenerate: whether a vertex of phase 2 was degenerate, the first and the last included.
        wrong_stops: steps before which the published rule stops at a vertex that is no local minimum.
        is_accepted: whether the checker accepts the end.
        seconds: of CPU time, without the checker.
    """

    case: Case
    outcome: str
    by: str
    steps: int
    is_degenerate: bool
    wrong_stops: tuple[int, ...]
    is_accepted: bool
    seconds: float


class _OutOfTimeError(Exception):
    pass


def _stop(_signal: int, _frame: object) -> None:
    raise _OutOfTimeError


def run(case: Case) -> Result:
    """Runs one walk."""
    began = time.process_time()
    walk = Walk(sample_experiment(case.widths, samples=case.samples, seed=case.seed, bits=case.bits))
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, case.limit)
    outcome, by, is_degenerate, is_accepted = OUT_OF_TIME, "", False, False
    try:
        is_degenerate = _is_degenerate(walk)
        exact_steps, basis = 0, set(walk.first_vertex.basis) if isinstance(walk.first_vertex, FirstVertex) else set()
        while steps := walk.advance(STEPS_AT_ONCE if is_degenerate else 1):
            if is_degenerate:
                continue
            (step,) = steps
            basis = {*(step.basis or basis), step.entering} - {step.leaving}
            taken = walk.counts.steps[1] if walk.counts is not None else walk.steps
            if taken > exact_steps or _may_be_degenerate(walk, basis):
                is_degenerate = _is_degenerate(walk)
            exact_steps = taken
        outcome, by = type(walk.outcome).__name__, getattr(walk.outcome, "by", "")
        if case.is_checked:
            is_accepted = _is_end_accepted(walk)
    except _OutOfTimeError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - began
    return Result(case, outcome, by, walk.steps, is_degenerate, tuple(walk.published_stops), is_accepted, seconds)


def _may_be_degenerate(walk: Walk, basis: Collection[Kink]) -> bool:
    """Returns whether a vertex in which a step in floats ends may be degenerate, by the kinks of its basis.

    By the step's own proof (proofs/filter.md, section 5) other kinks vanish there only if they are 0 in the whole cell,
    which random biases leave out, or where as many kinks of one unit as there are inputs are in the basis.
    """
    counts = Counter((kink.layer, kink.unit) for kink in basis)
    return max(counts.values(), default=0) >= walk.problem.rank


def _is_degenerate(walk: Walk) -> bool:
    return len(walk.active_kinks) > walk.problem.dimension


def _is_end_accepted(walk: Walk) -> bool:
    """Returns whether a walk that starts at another's end ends there at once, alike, and the checker accepts it."""
    instance = walk.problem.instance
    layers = [(layer.weight, layer.bias) for layer in instance.layers]
    again = Instance.create(layers, instance.inputs, instance.targets, layer=instance.layer, start=walk.vertex)
    with tempfile.TemporaryDirectory() as folder:
        path, run_path = Path(folder) / "a.json", Path(folder) / "a.drl"
        write_instance(again, path)
        second = Walk(again)
        outcome = record_walk(second, run_path)
        is_same = type(outcome) is type(walk.outcome) and second.steps == 0 and second.vertex == walk.vertex
        return is_same and verify(path, run_path).status == "accepted"


def row(results: Sequence[Result]) -> tuple[object, ...]:
    """Returns a line of the table."""
    outcomes = Counter(result.outcome for result in results)
    case, count = results[0].case, len(results)

    def share(part: int) -> str:
        return f"{part} ({100 * part / count:.0f} %)"

    return (
        ",".join(map(str, case.widths)),
        case.samples,
        case.bits,
        count,
        sum(result.steps for result in results),
        share(sum(result.is_degenerate for result in results)),
        share(sum(bool(result.wrong_stops) for result in results)),
        outcomes[StrictLocalMinimum.__name__],
        outcomes[LocalMinimum.__name__],
        sum(result.by == "tree" for result in results),
        outcomes[Undecided.__name__],
        outcomes[OUT_OF_TIME],
        sum(result.is_accepted for result in results) if case.is_checked else "",
    )


def notes(results: Sequence[Result]) -> list[str]:
    """Returns the seeds of the cases that the table counts."""

    def seeds(chosen: Callable[[Result], bool]) -> str:
        return to_ranges([result.case.seed for result in results if chosen(result)]) or "none"

    case = results[0].case
    wrong = [f"{r.case.seed}: {', '.join(map(str, r.wrong_stops))}" for r in results if r.wrong_stops]
    slowest = max(results, key=lambda result: result.seconds)
    return [
        (
            f"**{','.join(map(str, case.widths))}, N = {case.samples}, {case.bits} bits.** "
            f"Runs with seeds {seeds(lambda _: True)}."
        ),
        "",
        f"- Wrong stops, as seed: before step. {'; '.join(wrong) or 'none'}.",
        f"- Degenerate vertices: seeds {seeds(lambda result: result.is_degenerate)}.",
        f"- By the tree: seeds {seeds(lambda result: result.by == 'tree')}.",
        (
            f"- Undecided: {seeds(lambda result: result.outcome == Undecided.__name__)}. "
            f"Out of time: {seeds(lambda result: result.outcome == OUT_OF_TIME)}."
        ),
        (
            f"- CPU time without the checker: {sum(r.seconds for r in results):.0f} s; "
            f"most with seed {slowest.case.seed}: {slowest.seconds:.0f} s."
        ),
        "",
    ]


def to_ranges(seeds: Sequence[int]) -> str:
    """Returns increasing seeds as text, runs of three and more as ranges."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts)


def parse_seeds(text: str) -> list[int]:
    """Returns the seeds of a text like 0-9,17."""
    seeds: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds.update(range(int(first), int(last or first) + 1))
    return sorted(seeds)


def print_line(cells: Sequence[object]) -> None:
    """Prints a line of the table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def read_records(path: Path | None) -> dict[tuple[tuple[int, ...], int, int, int], Result]:
    """Returns kept results by widths, samples, seed and bits; the last of several counts."""
    results = {}
    if path is not None and path.exists():
        for line in path.read_text(encoding="ascii").splitlines():
            fields = json.loads(line)
            case = Case(**{**fields["case"], "widths": tuple(fields["case"]["widths"])})
            result = Result(**{**fields, "case": case, "wrong_stops": tuple(fields["wrong_stops"])})
            results[case.widths, case.samples, case.seed, case.bits] = result
    return results


def run_all(cases: Sequence[Case], processes: int, path: Path | None) -> Iterator[Result]:
    """Yields the results of walks, in any order, and keeps those that are new."""
    kept = read_records(path)
    missing = []
    for case in cases:
        result = kept.get((case.widths, case.samples, case.seed, case.bits))
        if result is None or (case.is_checked and not result.case.is_checked):
            missing.append(case)
        else:
            yield result
    with Pool(processes) as pool:
        for result in pool.imap_unordered(run, missing):
            if path is not None:
                with path.open("a", encoding="ascii") as file:
                    file.write(json.dumps(asdict(result)) + "\n")
            yield result


def main() -> None:
    """Runs the campaigns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", help="one architecture alone")
    parser.add_argument("--seeds", type=parse_seeds, help="these alone, as 0-9,17")
    parser.add_argument("--bits", type=int, default=12, help="of the random numbers")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=300, help="CPU seconds of one walk")
    parser.add_argument("--check", action="store_true", help="have the checker check each end")
    parser.add_argument("--records", type=Path, help="keep results in this file, and take from it what is there")
    options = parser.parse_args()
    print_line(COLUMNS)
    print_line(["---"] * len(COLUMNS))
    lines = []
    for widths, samples, count in CAMPAIGNS:
        if options.widths not in (None, ",".join(map(str, widths))):
            continue
        seeds = options.seeds or range(count)
        cases = [Case(widths, samples, seed, options.bits, options.limit, options.check) for seed in seeds]
        results = sorted(run_all(cases, options.processes, options.records), key=lambda result: result.case.seed)
        print_line(row(results))
        lines += notes(results)
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
