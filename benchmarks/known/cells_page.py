"""Computes the page on hidden cells: how often they have minima, and bad ones, by samples, inputs, units and loss.

    exactdrl campaign docs/known/cells.toml -o cells
    python benchmarks/known/cells_page.py docs/known/cells.toml cells docs/known/tables/hidden_cells.parquet

The second command writes the table of a campaign's data sets. The page is made from it and from the table of the
digits.
"""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from evidence import COLOURS, MARKERS, Row, decide, digests, draw, read_rows, share_words, table

from exactdrl.campaigns.config import read_config
from exactdrl.campaigns.statistics import Share, clopper_pearson
from exactdrl.campaigns.table import to_row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "cells"
DIGITS, VISITS = FOLDER / "digits.csv", FOLDER / "visits.csv"
COUNTED = ("cells", "genuine", "bad")
DRAWN = ("drawn_genuine", "drawn_bad")
SHAPE = ("loss", "inputs", "units", "samples")


def tabulate(config: Path, folder: Path, path: Path) -> int:
    """Writes the table of a campaign's runs; returns how many there are."""
    rows = []
    for case in read_config(config).cases:
        result = folder / "results" / f"{case.name}.json"
        if result.exists():
            rows.append(to_row(case, json.loads(result.read_bytes())))
    names = (*SHAPE, "seed", "status", *COUNTED, *DRAWN)
    kinds = {"loss": pa.string(), "status": pa.string(), **{name: pa.bool_() for name in DRAWN}}
    arrays = {name: pa.array([row.get(name) for row in rows], kinds.get(name, pa.int32())) for name in names}
    pq.write_table(pa.table(arrays), path, compression="zstd", compression_level=15)
    return len(rows)


def by_shape(rows: Sequence[Row]) -> dict[tuple[str, int, int, int], list[Row]]:
    """Returns the finished rows by loss, inputs, units and samples."""
    groups: dict[tuple[str, int, int, int], list[Row]] = {}
    for row in rows:
        if row["status"] == "done":
            groups.setdefault((row["loss"], row["inputs"], row["units"], row["samples"]), []).append(row)
    return groups


def share_of(rows: Sequence[Row], column: str) -> Share:
    """Returns the share of rows in which a random weight vector lies in such a cell."""
    return clopper_pearson(sum(row[column] is True for row in rows), len(rows))


def data_with_bad(rows: Sequence[Row]) -> Share:
    """Returns the share of data sets with a bad minimum in some cell."""
    return clopper_pearson(sum(row["bad"] > 0 for row in rows), len(rows))


def draw_bad(groups: dict[tuple[str, int, int, int], list[Row]], path: Path) -> None:
    """Draws the share of random weights in cells with a bad minimum against the number of samples."""
    losses = sorted({key[0] for key in groups})

    def fill(figure: "Figure") -> None:
        panels = figure.subplots(1, len(losses), sharey=True, squeeze=False)[0]
        for axes, loss in zip(panels, losses, strict=True):
            kinds = sorted({(inputs, units) for own, inputs, units, _ in groups if own == loss})
            for place, (inputs, units) in enumerate(kinds):
                sizes = sorted(key[3] for key in groups if key[:3] == (loss, inputs, units))
                shares = [share_of(groups[loss, inputs, units, size], "drawn_bad") for size in sizes]
                across = [size * 1.03**place for size in sizes]
                axes.vlines(across, [s.low for s in shares], [s.high for s in shares], color=COLOURS[place], lw=1)
                middle = [share.count / share.total for share in shares]
                look = {"color": COLOURS[place], "marker": MARKERS[place], "ms": 4, "lw": 0.7}
                axes.plot(across, middle, label=f"d = {inputs}, K = {units}", **look)
            axes.set_xscale("log")
            axes.set_title(f"{loss} loss", fontsize=8)
            axes.set_xlabel("samples N")
            ticks = sorted({key[3] for key in groups})
            axes.set_xticks(ticks, [str(tick) for tick in ticks])
            axes.minorticks_off()
        panels[0].set_ylabel("random weights in a cell with a bad minimum")
        panels[-1].legend()

    draw(path, (7.2, 3.2), fill)


def values(tables: Path, figures: Path) -> dict[str, str]:
    """Returns the page's numbers and words, and draws its figure."""
    path = tables / "hidden_cells.parquet"
    groups = by_shape(read_rows(path))
    draw_bad(groups, figures / "hidden-cells.svg")
    lines = []
    for key, rows in sorted(groups.items()):
        cells, genuine, bad = (sum(row[name] for row in rows) for name in COUNTED)
        shares = (data_with_bad(rows), *(share_of(rows, name) for name in DRAWN))
        head = (key[0], *map(str, key[1:]), str(len(rows)), str(cells), f"{genuine / cells:.3f}", f"{bad / cells:.3f}")
        lines.append((*head, *map(share_words, shares)))
    # the least and the greatest number of samples of each kind: does the share fall?
    falls = []
    for kind in sorted({key[:3] for key in groups}):
        sizes = sorted(key[3] for key in groups if key[:3] == kind)
        few, many = (share_of(groups[*kind, size], "drawn_bad") for size in (sizes[0], sizes[-1]))
        word = "falls" if few.low > many.high else "grows" if few.high < many.low else "open"
        lines_of = (kind[0], str(kind[1]), str(kind[2]), f"{sizes[0]}: {share_words(few)}")
        falls.append((*lines_of, f"{sizes[-1]}: {share_words(many)}", word))
    digits = list(csv.DictReader(DIGITS.open(encoding="ascii")))
    empty = clopper_pearson(sum(row["verdict"] == "none" for row in digits), len(digits))
    by_units = []
    for units in sorted({int(row["units"]) for row in digits}):
        own = [row for row in digits if int(row["units"]) == units]
        counts = [sum(row["verdict"] == verdict for row in own) for verdict in ("none", "genuine", "undecided")]
        by_units.append(
            (str(units), str(len(own)), *map(str, counts), share_words(clopper_pearson(counts[0], len(own))))
        )
    tiny = [data_with_bad(rows) for rows in groups.values()]
    rare = {key: flip(share_of(rows, "drawn_genuine")) for key, rows in groups.items()}
    left = list(csv.DictReader(VISITS.open(encoding="ascii")))
    leaves = clopper_pearson(sum(int(row["left_start_at"]) >= 0 for row in left), len(left))
    return {
        "shares": table(
            (
                *("loss", "d", "K", "N", "data sets", "cells", "genuine", "bad"),
                *("data with a bad minimum", "weights in genuine", "weights in bad"),
            ),
            lines,
        ),
        "falls": table(("loss", "d", "K", "weights in bad, least N", "greatest N", "word"), falls),
        "digits": table(("units", "cells", "none", "genuine", "undecided", "share of none"), by_units),
        "digits_share": share_words(empty),
        "word_digits": decide([empty]),
        "word_bad_exist": decide(tiny),
        "word_rare": decide(list(rare.values())),
        "word_rare_line": decide([share for key, share in rare.items() if key[:3] == ("squared", 1, 1)]),
        "word_leaves": decide([leaves]),
        "leaves": share_words(leaves),
        "runs": str(sum(len(rows) for rows in groups.values())),
        "cells": str(sum(row["cells"] for rows in groups.values() for row in rows)),
        "digests": digests([path, DIGITS, VISITS]),
    }


def flip(share: Share) -> Share:
    """Returns the share of the opposite."""
    return Share(share.total - share.count, share.total, 1 - share.high, 1 - share.low)


if __name__ == "__main__":
    print(f"{tabulate(*map(Path, sys.argv[1:4]))} runs")
