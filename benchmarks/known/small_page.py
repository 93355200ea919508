"""Computes the page on small starts: Wu, Simsek and Ged's points, and the ends of gradient descent from near 0."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import (
    COLOURS,
    CONDITIONS,
    FAILS,
    HOLDS,
    MARKERS,
    OPEN,
    Row,
    decide,
    digests,
    draw,
    read_rows,
    share_words,
    table,
)

from exactdrl.campaigns.statistics import Share, clopper_pearson
from exactdrl.exact.rationals import parse_rational, to_text
from exactdrl.front.judged import JudgeResult, judge
from exactdrl.problem.file import read_instance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parent.parent.parent / "proofs" / "records"
RECORDS = FOLDER / "points"
# each data set's affine fit, and the records of its least losses
WIDTHS = (
    ("W1", "w1-end", ("w1-width-1", "w1-width-2", "w1-width-3", "w1-width-4")),
    ("B", "b-width-1", ("b-width-1", "b-width-2")),
)
POINTS = (
    ("w1-origin", "W1: the origin, width 50"),
    ("w1-plateau", "W1: the plateau, width 50"),
    ("w1-end", "W1: the end, the least-squares line"),
    ("w3-end", "W3, two outputs: the end"),
    ("w3-zero", "W3: four units that fit the data"),
    ("b-width-1", "B: least squares at width 1"),
    ("b-width-2", "B: the same at width 2"),
)
SMALL = 1e-3
DECIDED = ("minimum",)
HEAD = ("deviation", "samples", "added to targets", "data sets", "snapped to a minimum", "affine fit", "spurious")


def bounded(rows: Sequence[Row], column: str) -> Share:
    """Returns a share of ends with an interval that holds whatever the ends are that are no snapped minimum."""
    known = [row for row in rows if row["end"] in DECIDED]
    count = sum(row[column] is True for row in known)
    lost = len(rows) - len(known)
    least, most = clopper_pearson(count, len(rows)), clopper_pearson(count + lost, len(rows))
    return Share(count, len(known), least.low, most.high)


def groups_of(rows: Sequence[Row]) -> dict[tuple[float, int, int], list[Row]]:
    """Returns the rows by deviation, samples and shift."""
    found: dict[tuple[float, int, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row["deviation"], row["samples"], row["shift"]), []).append(row)
    return found


@cache
def judged(name: str) -> JudgeResult:
    """Returns the verdict on a record's point; both tables of records name some of the points."""
    return judge(read_instance(RECORDS / f"{name}.json"))


def judged_points() -> str:
    """Returns a table of the papers' points, judged now."""
    lines = []
    for name, words in POINTS:
        found = judged(name)
        escape = str(len(found.escape_units)) if found.escape_units else "none"
        lines.append(
            (
                f"[{name}](../../proofs/records/points/{name}.json)",
                words,
                to_text(found.mean_loss),
                found.status,
                escape,
            )
        )
    return table(("record", "point", "mean of squares", "verdict", "escape units"), lines)


def least_losses() -> str:
    """Returns a table of the certified least losses by width, and what the affine fit is beside each."""
    lines = []
    for data, fit, records in WIDTHS:
        affine, samples = judged(fit).mean_loss, len(judged(fit).instance.targets)
        for name in records:
            with (FOLDER / "cells" / f"{name}.drl").open(encoding="ascii") as stream:
                claim = json.loads(stream.read().splitlines()[1])
            # the claim is about the sum of squares
            least = parse_rational(claim["global"]) / samples
            lines.append(
                (
                    data,
                    f"[{name}](../../proofs/records/cells/{name}.drl)",
                    str(len(claim["units"])),
                    to_text(least),
                    to_text(affine),
                    "no" if affine > least else "yes",
                    str(claim["leaves"]),
                )
            )
    return table(
        ("data", "certificate", "units", "least mean of squares", "affine fit", "the affine fit is the least", "parts"),
        lines,
    )


def draw_shares(groups: dict[tuple[float, int, int], list[Row]], path: Path) -> None:
    """Draws the share of ends at the affine fit, and of spurious ends, against the number of samples."""
    shifts = sorted({shift for deviation, _, shift in groups if deviation < SMALL})

    def fill(figure: "Figure") -> None:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, column, title in zip(
            panels,
            ("is_affine_fit", "is_spurious"),
            ("ends at the affine fit", "ends at a spurious minimum"),
            strict=True,
        ):
            for place, shift in enumerate(shifts):
                sizes = sorted(size for deviation, size, own in groups if own == shift and deviation < SMALL)
                shares = [
                    bounded(rows, column)
                    for size in sizes
                    for (deviation, own_size, own), rows in groups.items()
                    if own == shift and own_size == size and deviation < SMALL
                ]
                across = [size + 0.12 * (place - 1) for size in sizes]
                axes.vlines(across, [s.low for s in shares], [s.high for s in shares], color=COLOURS[place], lw=1)
                middle = [s.count / s.total if s.total else 0.0 for s in shares]
                label = f"targets + {shift}" if shift else "targets around 0"
                axes.plot(across, middle, color=COLOURS[place], marker=MARKERS[place], ms=4, lw=0.7, label=label)
            axes.set_title(title, fontsize=8)
            axes.set_xlabel("samples")
            axes.set_ylim(-0.02, 1.02)
        panels[0].set_ylabel("share of data sets, 95 %")
        panels[1].legend(loc="lower right")

    draw(path, (7.2, 3.0), fill)


def place_words(key: tuple[float, int, int] | None, shares: Mapping[tuple[float, int, int], Share]) -> str:
    """Returns a group's share and where it is."""
    return "none" if key is None else f"{share_words(shares[key])} (N = {key[1]}, targets + {key[2]})"


def values(tables: Path, figures: Path) -> dict[str, str]:
    """Returns the page's numbers and words, and draws its figure."""
    rows = read_rows(tables / "small_start.parquet")
    groups = groups_of(rows)
    small = {key: own for key, own in groups.items() if key[0] < SMALL}
    draw_shares(groups, figures / "small-start.svg")
    affine = {key: bounded(own, "is_affine_fit") for key, own in groups.items()}
    spurious = {key: bounded(own, "is_spurious") for key, own in groups.items()}
    lines = []
    for (deviation, samples, shift), own in groups.items():
        key = (deviation, samples, shift)
        lines.append(
            (
                f"{deviation:g}",
                str(samples),
                str(shift),
                str(len(own)),
                str(sum(row["end"] in DECIDED for row in own)),
                share_words(affine[key]),
                share_words(spurious[key]),
            )
        )
    # the same data with both starts
    drops = [
        (small[deviation, samples, shift], groups[other, samples, shift])
        for deviation, samples, shift in small
        for other, own_samples, own_shift in groups
        if other >= SMALL and (own_samples, own_shift) == (samples, shift)
    ]
    apart = [bounded(one, "is_affine_fit").low > bounded(two, "is_affine_fit").high for one, two in drops]
    shifts = sorted({key[2] for key in small})
    least = min(small, key=lambda key: affine[key].low, default=None)
    most = max(small, key=lambda key: affine[key].low, default=None)
    return {
        "points": judged_points(),
        "least_losses": least_losses(),
        "ends": table(HEAD, lines),
        "runs": str(len(rows)),
        "width": ", ".join(sorted({str(row["width"]) for row in rows})),
        "word_affine": decide([affine[key] for key in small]),
        "word_spurious": decide([spurious[key] for key in small]),
        "word_start": OPEN if not apart else HOLDS if all(apart) else CONDITIONS if any(apart) else FAILS,
        "by_shift": "; ".join(
            f"{shift} added: {decide([affine[key] for key in small if key[2] == shift])}" for shift in shifts
        ),
        "least_affine": place_words(least, affine),
        "most_affine": place_words(most, affine),
        "digests": digests(
            [
                tables / "small_start.parquet",
                *(RECORDS / f"{name}.json" for name, _ in POINTS),
                *(FOLDER / "cells" / f"{name}.drl" for _, _, names in WIDTHS for name in names),
            ]
        ),
    }
