"""Computes the overview: every published statement, its verdict by certified runs, and the page that has them."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evidence import CONDITIONS, FAILS, HOLDS, OPEN, table
from exactdrl_proofs import check
from exactdrl_proofs.records import make
from small_page import RECORDS

from exactdrl.front.judged import judge
from exactdrl.problem.file import read_instance

CELLS = RECORDS.parent / "cells"
HINZ = "[Hinz](https://arxiv.org/abs/2105.02831)"
GEER = "[Hinz and van de Geer](https://arxiv.org/abs/2011.14895)"
HE = "[He, Wang and Tao](https://arxiv.org/abs/2003.12236)"
WU = "[Wu, Simsek and Ged](https://arxiv.org/abs/2402.05626)"
LIU = "[Liu](https://arxiv.org/abs/2006.09192)"


@dataclass(frozen=True, slots=True)
class Statement:
    """A published statement.

    Attributes:
        source: whose.
        words: what is stated, in this page's words.
        verdict: the word.
        where: a link, and the condition or the instance.
    """

    source: str
    words: str
    verdict: str
    where: str


def by_instances(supporting: int, refuting: int) -> str:
    """Returns what a general statement comes to by certified instances: one against it is enough."""
    if refuting:
        return f"{FAILS} (instance)"
    return CONDITIONS if supporting else OPEN


def is_accepted(name: str) -> bool:
    """Returns whether the stand-alone checker accepts a record of cells, global or spurious minima."""
    try:
        check.check(str(CELLS / f"{name}.json"), str(CELLS / f"{name}.drl"))
    except (check.Rejected, check.Malformed):
        return False
    return True


def judged(names: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Returns the verdicts on recorded points, and whether they have escape units."""
    found = {name: judge(read_instance(RECORDS / f"{name}.json")) for name in names}
    return {name: (result.status, bool(result.escape_units)) for name, result in found.items()}


@cache
def values_of(page: str, tables: Path) -> dict[str, str]:
    """Returns another page's values; its figures are thrown away."""
    import pages  # noqa: PLC0415 - which names this module, too

    with tempfile.TemporaryDirectory() as name:
        return pages.compute(page, tables, Path(name))


def of_walks(tables: Path) -> list[Statement]:
    """Returns what is said of the walk."""
    hinz, density, leak, training = (values_of(page, tables) for page in ("hinz", "density", "leak", "training"))
    stops = next(record for record in make.read_index() if record["name"] == "published-stop")["published_stops"]
    page = "[walks](hinz.md)"
    return [
        Statement(
            f"{HINZ}; {GEER}",
            "the published rule stops at local minima only",
            by_instances(0, stops),
            "[the published stop](../published-stop.md), with a certificate",
        ),
        Statement(HINZ, "in one phase the loss decays exponentially", hinz["word_decay_loss"], page),
        Statement(HINZ, "the distance to the minimum decays exponentially, too", hinz["word_decay_distance"], page),
        Statement(HINZ, "the running mean of step lengths decays exponentially, too", hinz["word_decay_length"], page),
        Statement(HINZ, "all three decay in the same phase", hinz["word_decay_together"], page),
        Statement(
            HINZ, "in the fine-tuning phase after it the loss falls more slowly", hinz["word_tuning_slower"], page
        ),
        Statement(HINZ, "step lengths show no systematic behaviour in that phase", hinz["word_unsystematic"], page),
        Statement(
            HINZ,
            "with other layers and widths the results are similar",
            hinz["word_similar"],
            f"{page}; criteria with groups whose intervals do not overlap: {hinz['apart']}",
        ),
        Statement(
            HINZ,
            "more and smaller regions around local minima",
            density["word"],
            "[density](density.md); against points as far from 0: "
            f"{density['word_turned']}; of the same loss: {density['word_equal']}; where the walk "
            f"begins: {density['word_first']}; earlier on the walk: {density['word_later']}",
        ),
        Statement(
            HINZ,
            "the final loss can be estimated before the minimum is found",
            leak["word_published"],
            f"[leak](leak.md); closer than the loss itself: {leak['published_closer']}",
        ),
        Statement(
            HINZ,
            "trainings end near local minima (asked as a question)",
            training["word_near"],
            f"[trainings](training.md), within 1 % of the loss; the walk ends lower: {training['word_walk_better']}",
        ),
    ]


def of_cells(tables: Path) -> list[Statement]:
    """Returns what is said of cells and spurious minima."""
    cells = values_of("cells", tables)
    squared = [name for name in ("three-spurious", "w1-spurious") if is_accepted(name)]
    absolute = [name for name in ("three-spurious-absolute", "bump-spurious") if is_accepted(name)]
    # the bump's least loss at width 2 is 1, that of its LAD line: nothing there is spurious
    bump = [name for name in ("bump-width-2",) if is_accepted(name)]
    valleys = [name for name in ("three-cells",) if is_accepted(name)]
    page = "[cells](../cells.md)"
    return [
        Statement(
            HE,
            "spurious minima at any depth and piecewise linear activation, squared loss",
            by_instances(len(squared), 0),
            f"{page}: built and certified for the data that were tried, {', '.join(squared) or 'none'}",
        ),
        Statement(
            HE,
            "the same for most other losses",
            by_instances(len(absolute), len(bump)),
            f"{page}: absolute loss, distinct data that no line fits: {', '.join(bump) or 'no'} has none at width 2",
        ),
        Statement(
            HE,
            "the local minima of a cell are connected",
            by_instances(0, len(valleys)),
            f"{page}: {', '.join(valleys) or 'no'} has a cell with two valleys; connected up to the order of units",
        ),
        Statement(
            HE,
            "random data have a bad minimum in some cell",
            cells["word_bad_exist"],
            "[how many](cells.md)",
        ),
        Statement(
            LIU,
            "the probability of local minima is low for one-dimensional Gaussian data",
            cells["word_rare_line"],
            "[how many](cells.md), one unit: random weights lie in a cell without a minimum",
        ),
        Statement(
            LIU,
            "at the size of images cells of random weights have no bad minima",
            cells["word_digits"],
            f"[how many](cells.md): {cells['digits_share']} cells have none",
        ),
        Statement(
            LIU,
            "gradient descent is not trapped in the cell from which it starts",
            cells["word_leaves"],
            f"[how many](cells.md): {cells['leaves']} runs leave it",
        ),
    ]


def of_points(tables: Path) -> list[Statement]:
    """Returns what is said of stationary points and small starts."""
    small = values_of("small-start", tables)
    points = judged(
        (
            *("w1-origin", "w1-plateau", "w1-end", "w3-end", "b-width-1", "b-width-2"),
            *("case-a", "case-a-halves", "case-a-copy"),
        )
    )
    calm = [status == "local-minimum" for status, has_escape in points.values() if not has_escape]
    moved = [status == "not-a-minimum" for status, has_escape in points.values() if has_escape]
    halves, copy = points["case-a-halves"][0] == "local-minimum", points["case-a-copy"][0] == "not-a-minimum"
    page = "[small starts](small-start.md)"
    return [
        Statement(
            WU,
            "a stationary point without escape neuron is a local minimum",
            by_instances(sum(calm), len(calm) - sum(calm)),
            f"{page}: {sum(calm)} of {len(calm)} recorded points; [proved](../../proofs/all-parameters.md)",
        ),
        Statement(
            WU,
            "with one output, a point with an escape neuron is no local minimum",
            by_instances(sum(moved), len(moved) - sum(moved)),
            f"{page}: {sum(moved)} of {len(moved)} recorded points; [proved](../../proofs/all-parameters.md)",
        ),
        Statement(
            WU,
            "embedding keeps some minima and makes others saddles",
            by_instances(halves + copy, 2 - halves - copy),
            "[embedding](../../proofs/embedding.md): case-a-halves and case-a-copy",
        ),
        Statement(
            WU,
            "(and Boursier and Flammarion) a small start leads to the affine fit",
            small["word_affine"],
            f"{page}; at the most {small['most_affine']}, at the least {small['least_affine']}",
        ),
        Statement(
            WU,
            "(and Boursier and Flammarion) a small start leads to a spurious minimum",
            small["word_spurious"],
            page,
        ),
    ]


def values(tables: Path, figures: Path) -> dict[str, str]:
    """Returns the table of statements, and how many come to which word."""
    del figures
    tables = tables.resolve()
    found = [*of_walks(tables), *of_cells(tables), *of_points(tables)]
    counts: dict[str, int] = {}
    for statement in found:
        word = FAILS if statement.verdict.startswith(FAILS) else statement.verdict
        counts[word] = counts.get(word, 0) + 1
    rows = [(one.source, one.words, f"**{one.verdict}**", one.where) for one in found]
    return {
        "statements": table(("source", "statement", "verdict", "where, and how"), rows),
        "count": str(len(found)),
        "counts": ", ".join(f"{word}: {count}" for word, count in counts.items()),
        "runs": values_of("hinz", tables)["runs"],
        "holds": HOLDS,
        "conditions": CONDITIONS,
        "fails": FAILS,
        "open": OPEN,
    }
