"""Computes the page on the information leak: the best estimate of the final loss, chosen on half of the runs.

An estimate after step k uses only the losses of the steps 0..k, at fractions of k. It does not use the number of steps
that are to come. Estimates are trained on the runs with even seeds, and the best one is chosen there by leaving out
each run in turn. It is then tried once on the runs with odd seeds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from evidence import (
    COLOURS,
    CONDITIONS,
    FAILS,
    HOLDS,
    OPEN,
    Row,
    decide,
    digests,
    draw,
    median_words,
    read_rows,
    share_words,
    table,
)
from numpy.typing import NDArray

from exactdrl.campaigns.statistics import Share, summarise, wilson
from exactdrl.observations.estimates import fit_limit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
PUBLISHED = "4,5,4,3,2,1 N=500 bits=53 reference"
# of the 240 parts of a walk; multiples of 4, so that quarters of the way are on the grid
PLACES = tuple(range(12, 240, 12))
SHOWN = (24, 60, 120, 180, 216)
HALF = 120
WITHIN = (0.02, 0.05, 0.1)
LEAST_RUNS = 10
NEIGHBOURS = (3, 7)
RIDGES = (1e-4, 1e-2, 1.0)


@dataclass(frozen=True, slots=True)
class Walked:
    """A run.

    Attributes:
        seed: of it.
        steps: of the whole walk.
        losses: after each 240th of the steps.
    """

    seed: int
    steps: int
    losses: Floats

    @property
    def final(self) -> float:
        """Returns the last loss."""
        return float(self.losses[-1])


# what is trained on some runs, and then estimates from a run and a place
Estimator = Callable[[Walked, int], float]
Trainer = Callable[[Sequence[Walked]], Estimator]


# -- estimates without training


def loss_itself(runs: Sequence[Walked]) -> Estimator:
    """Returns the trivial estimate."""
    del runs
    return lambda run, place: float(run.losses[place])


def aitken(quarters: int) -> Trainer:
    """Returns Aitken's extrapolation, its losses so many quarters of the way apart; else the loss."""

    def estimate(run: Walked, place: int) -> float:
        back = place * quarters // 4
        here, before, first = (float(run.losses[at]) for at in (place, place - back, place - 2 * back))
        bend = (here - before) - (before - first)
        return here - (here - before) ** 2 / bend if bend else here

    def train(runs: Sequence[Walked]) -> Estimator:
        del runs
        return estimate

    return train


def fitted(runs: Sequence[Walked]) -> Estimator:
    """Returns the limit of an exponential fitted to the second half of the way; the loss where it has none."""
    del runs

    def estimate(run: Walked, place: int) -> float:
        found = fit_limit([float(loss) for loss in run.losses[: place + 1]], place)
        return float(run.losses[place]) if found is None else found

    return estimate


# -- trained estimates


def constant(runs: Sequence[Walked]) -> Estimator:
    """Returns the median of the final losses: what is known of such problems before any step."""
    middle = float(np.median([run.final for run in runs]))

    def estimate(run: Walked, place: int) -> float:
        del run, place
        return middle

    return estimate


def multiple(runs: Sequence[Walked]) -> Estimator:
    """Returns the loss times the median of final loss over loss."""
    ratio = float(np.median([run.final / run.losses[place] for run in runs for place in PLACES]))
    return lambda run, place: ratio * float(run.losses[place])


def describe(run: Walked, place: int, *, has_level: bool) -> list[float]:
    """Returns what is known after a part of the walk, as logarithms: decreases, steps so far, and the level."""
    here, late, middle, early, first = (
        math.log(run.losses[at]) for at in (place, place * 3 // 4, place // 2, place // 4, 0)
    )
    steps = math.log(1 + run.steps * place / 240)
    return [late - here, middle - here, early - here, first - here, steps, *([here] if has_level else [])]


def ridge(weight: float, *, has_level: bool, is_curved: bool) -> Trainer:
    """Returns a linear estimate of the logarithm of final loss over loss, with a penalty on the coefficients.

    Args:
        weight: of the penalty.
        has_level: whether the loss itself is a feature, so that the level of such problems is learnt.
        is_curved: whether products of features are features, too.
    """

    def expand(features: Floats) -> Floats:
        if not is_curved:
            return features
        size = features.shape[1]
        products = [features[:, i] * features[:, j] for i in range(size) for j in range(i, size)]
        return np.column_stack([features, *products])

    def train(runs: Sequence[Walked]) -> Estimator:
        raw = np.array([describe(run, place, has_level=has_level) for run in runs for place in PLACES])
        goal = np.array([math.log(run.final / run.losses[place]) for run in runs for place in PLACES])
        centre, scale = raw.mean(axis=0), raw.std(axis=0) + 1e-12
        features = expand((raw - centre) / scale)
        middle, shift = features.mean(axis=0), float(goal.mean())
        centred = features - middle
        square = centred.T @ centred + weight * len(goal) * np.eye(features.shape[1])
        coefficients = np.linalg.solve(square, centred.T @ (goal - shift))

        def estimate(run: Walked, place: int) -> float:
            own = expand((np.array([describe(run, place, has_level=has_level)]) - centre) / scale)
            # a loss does not rise
            change = min(0.0, shift + float((own[0] - middle) @ coefficients))
            return float(run.losses[place]) * math.exp(change)

        return estimate

    return train


def nearest(count: int, *, has_level: bool) -> Trainer:
    """Returns the loss times the median of final loss over loss of the runs that look alike at any place of theirs."""

    def train(runs: Sequence[Walked]) -> Estimator:
        raw = np.array([[describe(run, place, has_level=has_level) for place in PLACES] for run in runs])
        flat = raw.reshape(-1, raw.shape[2])
        centre, scale = flat.mean(axis=0), flat.std(axis=0) + 1e-12
        known = (raw - centre) / scale
        goals = np.array([[run.final / run.losses[place] for place in PLACES] for run in runs])

        def estimate(run: Walked, place: int) -> float:
            own = (np.array(describe(run, place, has_level=has_level)) - centre) / scale
            far = ((known - own) ** 2).sum(axis=2)
            # each run is one neighbour, at its nearest place
            best = far.argmin(axis=1)
            order = np.argsort(far.min(axis=1), kind="stable")[:count]
            return float(run.losses[place]) * float(np.median(goals[order, best[order]]))

        return estimate

    return train


TRAINERS: dict[str, Trainer] = {
    "the loss itself": loss_itself,
    "the median final loss": constant,
    "a multiple of the loss": multiple,
    "Aitken, f = 1/2": aitken(2),
    "Aitken, f = 1/4": aitken(1),
    "fitted exponential": fitted,
    **{
        f"linear{', with level' * level}{', with products' * curved}, penalty {weight:g}": ridge(
            weight, has_level=level, is_curved=curved
        )
        for level in (False, True)
        for curved in (False, True)
        for weight in RIDGES
    },
    **{
        f"{count} nearest runs{', with level' * level}": nearest(count, has_level=level)
        for count in NEIGHBOURS
        for level in (False, True)
    },
}
TRIVIAL = "the loss itself"
UNTRAINED = (TRIVIAL, "Aitken, f = 1/2", "Aitken, f = 1/4", "fitted exponential")


# -- choosing and trying


def error(estimate: float, run: Walked) -> float:
    """Returns the size of an estimate's error, over the final loss."""
    return abs(estimate - run.final) / run.final


def score(trainer: Trainer, runs: Sequence[Walked], *, is_trained: bool) -> float:
    """Returns the median error over runs and places, each run estimated by what is trained on the others."""
    errors = []
    whole = trainer(runs)
    for left in range(len(runs)):
        others = [run for at, run in enumerate(runs) if at != left]
        estimator = trainer(others) if is_trained else whole
        errors += [error(estimator(runs[left], place), runs[left]) for place in PLACES]
    return float(np.median(errors))


@dataclass(frozen=True, slots=True)
class Trial:
    """What was chosen on one half of a group's runs, and how it does on the other.

    Attributes:
        scores: of every estimator, on the half on which it was chosen.
        chosen: the best one's name.
        errors: on the other half, by name and place: a list over the runs.
        runs: how many were trained on, and how many tried.
    """

    scores: dict[str, float]
    chosen: str
    errors: dict[str, dict[int, list[float]]]
    runs: tuple[int, int]

    def closer(self, place: int) -> Share:
        """Returns the share of runs in which the chosen estimate is closer than the loss itself."""
        pairs = list(zip(self.errors[self.chosen][place], self.errors[TRIVIAL][place], strict=True))
        return wilson(sum(a < b for a, b in pairs), len(pairs))

    def within(self, name: str, place: int, bound: float) -> Share:
        """Returns the share of runs with an error of at most a bound."""
        errors = self.errors[name][place]
        return wilson(sum(value <= bound for value in errors), len(errors))


def attempt(runs: Sequence[Walked]) -> Trial | None:
    """Returns what a search on the even seeds finds, tried on the odd ones; None with too few runs."""
    train, test = ([run for run in runs if run.seed % 2 == parity] for parity in (0, 1))
    if min(len(train), len(test)) < LEAST_RUNS:
        return None
    scores = {name: score(own, train, is_trained=name not in UNTRAINED) for name, own in TRAINERS.items()}
    chosen = min((name for name in scores if name != TRIVIAL), key=lambda name: scores[name])
    errors = {}
    for name in dict.fromkeys((TRIVIAL, "the median final loss", "Aitken, f = 1/2", "fitted exponential", chosen)):
        estimator = TRAINERS[name](train)
        errors[name] = {place: [error(estimator(run, place), run) for run in test] for place in PLACES}
    return Trial(scores, chosen, errors, (len(train), len(test)))


def read_walks(tables: Path) -> dict[str, list[Walked]]:
    """Returns each group's runs with a positive final loss and at least as many steps as the grid has parts."""
    losses = {row["name"]: np.array(row["losses"]) for row in read_rows(tables / "losses.parquet")}
    groups: dict[str, list[Walked]] = {}
    for row in read_rows(tables / "walks.parquet"):
        if row["name"] in losses and row["steps"] >= 240 and losses[row["name"]][-1] > 0:
            groups.setdefault(row["group"], []).append(Walked(row["seed"], row["steps"], losses[row["name"]]))
    return groups


def verdict(trial: Trial | None) -> str:
    """Returns what "the final loss can be estimated before it is found" comes to after half of the steps.

    It holds if most runs are within 5 % and closer than by the loss itself; with conditions if one of these is so; it
    fails if neither is, and is open where the intervals leave that open.
    """
    if trial is None:
        return OPEN
    words = [decide([trial.within(trial.chosen, HALF, 0.05)]), decide([trial.closer(HALF)])]
    if words == [HOLDS, HOLDS]:
        return HOLDS
    if HOLDS in words:
        return CONDITIONS
    return FAILS if words == [FAILS, FAILS] else OPEN


# -- the page


def draw_errors(trials: dict[str, Trial], path: Path) -> None:
    """Draws the median error on the runs that were not trained on, against the part of the walk, by group."""
    chosen = dict(list(trials.items())[:4])

    def fill(figure: "Figure") -> None:
        panels = figure.subplots(1, max(len(chosen), 1), sharey=True, squeeze=False)[0]
        for axes, (group, trial) in zip(panels, chosen.items(), strict=False):
            for at, (name, errors) in enumerate(trial.errors.items()):
                label = "chosen" if name == trial.chosen else name
                heights = [float(np.median(errors[place])) for place in PLACES]
                width = 1.8 if name == trial.chosen else 0.9
                axes.plot([place / 240 for place in PLACES], heights, color=COLOURS[at], lw=width, label=label)
            axes.set_yscale("log")
            axes.set_title(f"{short(group)}\n{trial.chosen}", fontsize=7)
            axes.set_xlabel("part of the steps")
        panels[0].set_ylabel("median relative error")
        if chosen:
            figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)

    draw(path, (max(5.0, 2.4 * len(chosen)) + 0.8, 3.3), fill)


def short(group: str) -> str:
    """Returns a group's name without what all have in common."""
    return group.replace(" bits=53", "").replace(" reference", "")


def values(tables: Path, figures: Path, published: str = PUBLISHED) -> dict[str, str]:
    """Returns the page's numbers and words, and draws its figure."""
    trials = {group: trial for group, runs in read_walks(tables).items() if (trial := attempt(runs)) is not None}
    own = trials.get(published)
    draw_errors(trials, figures / "leak-errors.svg")
    lines = []
    for group, trial in trials.items():
        for name, errors in trial.errors.items():
            cells = [median_words(summarise(errors[place]), 2) for place in SHOWN]
            lines.append((short(group), f"{name} (chosen)" if name == trial.chosen else name, *cells))
    rows: list[Row] = [
        {
            "group": short(group),
            "chosen": trial.chosen,
            "runs": f"{trial.runs[0]} and {trial.runs[1]}",
            "closer": share_words(trial.closer(HALF)),
            "word": verdict(trial),
        }
        | {f"{bound:g}": share_words(trial.within(trial.chosen, HALF, bound)) for bound in WITHIN}
        | {f"loss {bound:g}": share_words(trial.within(TRIVIAL, HALF, bound)) for bound in WITHIN}
        for group, trial in trials.items()
    ]
    scores = sorted(own.scores.items(), key=lambda entry: entry[1]) if own is not None else []
    return {
        "errors": table(("group", "estimate", *(f"after {place / 240:.0%}" for place in SHOWN)), lines),
        "trials": table(
            ("group", "chosen", "runs", "closer than the loss", *(f"within {bound:.0%}" for bound in WITHIN), "word"),
            [
                (row["group"], row["chosen"], row["runs"], row["closer"], *(row[f"{b:g}"] for b in WITHIN), row["word"])
                for row in rows
            ],
        ),
        "trivial": table(
            ("group", *(f"the loss itself within {bound:.0%}" for bound in WITHIN)),
            [(row["group"], *(row[f"loss {bound:g}"] for bound in WITHIN)) for row in rows],
        ),
        "scores": table(("estimate", "median error"), [(name, f"{value:.3g}") for name, value in scores]),
        "tried": str(len(TRAINERS)),
        "word_published": verdict(own),
        "published_chosen": "nothing yet" if own is None else own.chosen,
        "published_closer": "no runs" if own is None else share_words(own.closer(HALF)),
        "published_within": "no runs" if own is None else share_words(own.within(own.chosen, HALF, 0.05)),
        "published_trivial": "no runs" if own is None else share_words(own.within(TRIVIAL, HALF, 0.05)),
        "published_error": "none" if own is None else median_words(summarise(own.errors[own.chosen][HALF]), 2),
        "published_trivial_error": "none" if own is None else median_words(summarise(own.errors[TRIVIAL][HALF]), 2),
        "digests": digests(tables / f"{name}.parquet" for name in ("losses", "walks")),
    }
