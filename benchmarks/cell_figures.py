"""Draws the figures of docs/cells.md.

python benchmarks/cell_figures.py docs/cells/probability.csv docs/figures [--png]
"""

import argparse
import csv
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from gmpy2 import mpq
from matplotlib.patches import Rectangle

from exactdrl.campaigns.statistics import clopper_pearson
from exactdrl.constructions.channels import Shape
from exactdrl.constructions.plain_network import PlainLayer, PlainNetwork
from exactdrl.constructions.spurious import build_spurious, total_loss
from exactdrl.exact.rationals import parse_rational, to_float, to_text
from exactdrl.hidden_cells.dichotomies import cells
from exactdrl.hidden_cells.judge import judge_cell
from exactdrl.hidden_cells.setting import Setting

W1 = (["-1", "-3/5", "-1/10", "3/10", "7/10"], ["28/100", "-1/10", "3/100", "23/100", "-22/100"])
COLOURS = {"global": "#1b7837", "bad": "#d6604d", "none": "#d9d9d9"}


def draw_cells(path: Path) -> None:
    """Draws the cells of one unit on W1 in the plane of (w, b), coloured by verdict."""
    inputs, targets = ([parse_rational(text) for text in column] for column in W1)
    setting = Setting.create([[x] for x in inputs], targets)
    judged = {cell.pattern: judge_cell(setting, [cell.pattern]) for cell in cells(setting.samples)}
    best = min(cell.relaxation.value for cell in judged.values() if cell.is_genuine)
    figure, axes = plt.subplots(figsize=(6.4, 6.4))
    for cell in cells(setting.samples):
        verdict = judged[cell.pattern]
        kind = "none" if not verdict.is_genuine else "global" if verdict.relaxation.value == best else "bad"
        rays = [np.array([to_float(mpq(entry)) for entry in ray]) for ray in cell.cone.rays]
        rays.sort(key=lambda ray: np.arctan2(ray[1], ray[0]))
        angles = [float(np.arctan2(ray[1], ray[0])) for ray in rays]
        if angles[1] - angles[0] > np.pi:
            angles = [angles[1], angles[0] + 2 * np.pi]
        arc = np.linspace(angles[0], angles[1], 60)
        axes.fill(np.r_[0, np.cos(arc)], np.r_[0, np.sin(arc)], color=COLOURS[kind], edgecolor="white", linewidth=1.5)
        middle = (angles[0] + angles[1]) / 2
        mean = to_text(verdict.relaxation.value / len(targets)) if verdict.is_genuine else "none"
        turn = np.degrees(middle)
        turn = turn if -90 <= turn <= 90 else turn - 180
        axes.text(
            0.62 * float(np.cos(middle)),
            0.62 * float(np.sin(middle)),
            f"{cell.pattern}: {mean}",
            ha="center",
            va="center",
            rotation=turn,
            fontsize=8,
            rotation_mode="anchor",
        )
    axes.set_aspect("equal")
    axes.set_xlabel("w")
    axes.set_ylabel("b")
    axes.set_title("W1, one unit: genuine minima of its ten cells (mean of squares)", fontsize=10)
    names = {"global": "genuine, the least", "bad": "genuine, bad", "none": "no genuine minimum"}
    handles = [Rectangle((0, 0), 1, 1, color=COLOURS[kind]) for kind in names]
    axes.legend(handles, names.values(), loc="lower right", fontsize=8)
    axes.set_xlim(-1.1, 1.1)
    axes.set_ylim(-1.1, 1.1)
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)


def draw_probability(table: Path, path: Path) -> None:
    """Draws the share of random weights in cells with genuine and bad minima, against N."""
    with table.open(encoding="ascii") as stream:
        rows = list(csv.DictReader(stream))
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 4), sharey=True)
    groups = sorted({(row["data"], int(row["inputs"]), int(row["units"])) for row in rows})
    for axes, name in zip(panels, ("genuine", "bad"), strict=True):
        for shift, (data, inputs, units) in enumerate(groups):
            own = [row for row in rows if (row["data"], int(row["inputs"]), int(row["units"])) == (data, inputs, units)]
            counts = sorted({int(row["samples"]) for row in own})
            shares = []
            for count in counts:
                drawn = [int(row[f"drawn_{name}"]) for row in own if int(row["samples"]) == count]
                shares.append(clopper_pearson(sum(drawn), len(drawn)))
            middle = np.array([share.count / share.total for share in shares])
            errors = [middle - [share.low for share in shares], [share.high for share in shares] - middle]
            places = np.array(counts) * (1 + 0.02 * shift)
            label = f"{data}, {inputs} input{'s' * (inputs > 1)}, {units} unit{'s' * (units > 1)}"
            axes.errorbar(places, middle, errors, marker="o", markersize=3, capsize=2, linewidth=1, label=label)
        axes.set_xscale("log")
        ticks = sorted({int(row["samples"]) for row in rows})
        axes.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        axes.minorticks_off()
        axes.set_xlabel("samples")
        axes.set_title(f"random weights in a cell with a {name} minimum", fontsize=10)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("share of draws, 95 % Clopper-Pearson")
    panels[0].legend(fontsize=7)
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)


def blend(one: PlainNetwork, two: PlainNetwork, share: mpq) -> PlainNetwork:
    """Returns the network on the segment between two."""

    def mix(a: mpq, b: mpq) -> mpq:
        return a + share * (b - a)

    layers = []
    for a, b in zip(one.layers, two.layers, strict=True):
        weight = tuple(tuple(map(mix, p, q)) for p, q in zip(a.weight, b.weight, strict=True))
        bias = None if a.bias is None or b.bias is None else tuple(map(mix, a.bias, b.bias))
        layers.append(PlainLayer(weight, bias))
    return PlainNetwork(tuple(layers), one.slopes)


def draw_valley(path: Path) -> None:
    """Draws the loss along the valley of a spurious minimum, and from its ends to the better point."""
    inputs = tuple((mpq(x),) for x in (-1, 0, 1))
    targets = tuple((mpq(y),) for y in (-1, 1, 1))
    found = build_spurious(inputs, targets, Shape((1, 3, 2, 1), (mpq(0), mpq(1)), has_output_bias=True), "squared")
    if found.better is None:
        return
    steps = [mpq(k, 60) for k in range(61)]

    def losses(one: PlainNetwork, two: PlainNetwork) -> list[float]:
        return [to_float(total_loss(blend(one, two, share).outputs(inputs), targets, "squared")) for share in steps]

    figure, axes = plt.subplots(figsize=(6.4, 4))
    for number, (one, two) in enumerate(zip(found.valley, found.valley[1:], strict=False)):
        axes.plot([number + to_float(share) for share in steps], losses(one, two), color="#1b7837", linewidth=3)
    ends = len(found.valley) - 1
    places = [ends + to_float(share) for share in steps]
    axes.plot(places, losses(found.valley[-1], found.better), color="#762a83", label="straight to the better point")
    axes.plot([], [], color="#1b7837", linewidth=3, label="valley: a polyline of local minima")
    axes.axhline(to_float(found.loss), color="grey", linewidth=0.8, linestyle=":")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_xticks(range(ends + 2), ["start", *(f"corner {k}" for k in range(1, ends + 1)), "better"], fontsize=8)
    axes.set_ylabel("sum of squares")
    axes.set_title("Data (-1,-1), (0,1), (1,1), widths 1,3,2,1: the affine fit's valley", fontsize=10)
    axes.legend(fontsize=8)
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)


def main() -> None:
    """Parses the arguments and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--png", action="store_true")
    chosen = parser.parse_args()
    mpl.use("Agg")
    # the same bytes each time
    mpl.rcParams.update({"svg.hashsalt": "exactdrl", "svg.fonttype": "none"})
    ending = "png" if chosen.png else "svg"
    draw_cells(chosen.folder / f"cells-w1.{ending}")
    draw_probability(chosen.table, chosen.folder / f"cells-probability.{ending}")
    draw_valley(chosen.folder / f"cells-valley.{ending}")


if __name__ == "__main__":
    main()
