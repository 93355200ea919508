"""How often hidden cells have genuine minima, and how often bad ones: random data, every cell judged exactly.

    python benchmarks/cell_probability.py draws.csv --inputs 1 --samples 3,5,10,20 --units 1 --draws 200
    python benchmarks/cell_probability.py draws.csv --summary

A row is one draw. Its inputs and targets are independent, Gaussian or uniform on [-1, 1], and rounded to multiples of
1/1000. A bias is appended. All hidden cells are judged, for the squared loss. A minimum is genuine if the minimum of
the cell's convex relaxation is attained in the cell. It is bad here if another cell of the same draw has a genuine
minimum with a smaller loss. `mass_*` are enclosures of the share of weight space, by Gaussian weights, for one input.
`drawn_*` is the verdict of the cell in which random weights lie, one vector for each unit. Its share over many draws
has Clopper-Pearson intervals. Rows that the file has already are not computed again.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

from gmpy2 import mpq

from exactdrl.campaigns.statistics import clopper_pearson
from exactdrl.exact.rationals import to_float
from exactdrl.hidden_cells.draws import DataShape, draw_setting, judge_all
from exactdrl.hidden_cells.setting import Setting

COLUMNS = (
    *("inputs", "samples", "units", "data", "draw", "cells", "genuine", "bad"),
    *("mass_genuine_low", "mass_genuine_high", "mass_bad_low", "mass_bad_high", "drawn_genuine", "drawn_bad"),
)
KEYS = 5
GRAIN = 1000


def judge_draw(setting: Setting, draw: int) -> tuple[object, ...]:
    """Returns a row's results."""
    found = judge_all(setting, draw)
    bad = found.bad
    sums = [as_floats(found.mass(group)) for group in (found.values, bad)]
    drawn = int(found.drawn in found.values), int(found.drawn in bad)
    return (len(found.cells), len(found.values), len(bad), *sums[0], *sums[1], *drawn)


def as_floats(mass: tuple[mpq, mpq] | None) -> tuple[object, object]:
    """Returns both bounds as floats for the table."""
    return ("", "") if mass is None else (to_float(mass[0]), to_float(mass[1]))


def run(path: Path, chosen: argparse.Namespace) -> None:
    """Judges draws that the table does not have."""
    if not path.exists():
        path.write_text(",".join(COLUMNS) + "\n", encoding="ascii")
    with path.open(encoding="ascii") as stream:
        done = {tuple(row[:KEYS]) for row in csv.reader(stream)}
    for samples in map(int, chosen.samples.split(",")):
        for draw in range(chosen.draws):
            key = (chosen.inputs, samples, chosen.units, chosen.data, draw)
            if tuple(map(str, key)) not in done:
                shape = DataShape(chosen.data, chosen.inputs, samples, GRAIN)
                row = judge_draw(draw_setting(shape, chosen.units, "squared", draw), draw)
                with path.open("a", encoding="ascii", newline="") as stream:
                    csv.writer(stream, lineterminator="\n").writerow((*key, *row))


def summarise(path: Path) -> Iterator[str]:
    """Yields a Markdown table: shares of cells, and of random weights with 95 % intervals."""
    with path.open(encoding="ascii") as stream:
        rows = list(csv.DictReader(stream))
    groups: dict[tuple[str, int, int, int], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row["data"], int(row["inputs"]), int(row["units"]), int(row["samples"])), []).append(row)
    yield "| data | inputs | units | samples | draws | cells | genuine | bad | weights in genuine | weights in bad |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for (data, inputs, units, samples), group in sorted(groups.items()):
        cells = sum(int(row["cells"]) for row in group)
        shares = [sum(int(row[name]) for row in group) / cells for name in ("genuine", "bad")]
        drawn = [
            clopper_pearson(sum(int(row[f"drawn_{name}"]) for row in group), len(group)) for name in ("genuine", "bad")
        ]
        words = " | ".join(f"{s.count}/{s.total}: {s.low:.3f} to {s.high:.3f}" for s in drawn)
        head = f"{data} | {inputs} | {units} | {samples} | {len(group)} | {cells}"
        yield f"| {head} | {shares[0]:.3f} | {shares[1]:.3f} | {words} |"


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--inputs", type=int, default=1)
    parser.add_argument("--samples", default="3,5,10,20")
    parser.add_argument("--units", type=int, default=1)
    parser.add_argument("--data", choices=["gaussian", "uniform"], default="gaussian")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--summary", action="store_true")
    chosen = parser.parse_args()
    if chosen.summary:
        print("\n".join(summarise(chosen.table)))
    else:
        run(chosen.table, chosen)


if __name__ == "__main__":
    main()
