"""Makes the figures of the gallery and of the concept pages again: python docs/gallery/make.py."""

from pathlib import Path

import numpy as np
from gmpy2 import mpq
from matplotlib.figure import Figure

import exactdrl
from exactdrl.report.style import BLUE, GREEN, ORANGE, save_figure, styled

FOLDER = Path(__file__).parent
CONCEPTS = FOLDER.parent / "concepts"
# ten households that were made up
INCOME = ["4.2", "5.4", "9.0", "6.4", "5.1", "7.8", "10.2", "12.0", "8.7", "15.3"]
FOOD = ["2.6", "3.1", "4.9", "4.0", "3.3", "4.6", "6.3", "6.9", "5.0", "7.1"]


def main() -> None:
    """Draws each figure from the problem that its page names."""
    problem = exactdrl.sample_experiment((2, 5, 3, 1), samples=40, seed=3)
    result = exactdrl.walk(problem, rule="steepest")
    result.plot_slice().savefig(FOLDER / "slice.png", dpi=160)
    result.plot_slice(zoom=mpq(8)).savefig(FOLDER / "slice-near.png", dpi=160)
    result.plot().savefig(FOLDER / "losses.png", dpi=160)
    exactdrl.regress([[x] for x in INCOME], FOOD).plot().savefig(FOLDER / "path.png", dpi=160)
    network = exactdrl.from_arrays(
        [[["1"], ["-1"]], [["1", "1"]]],
        [["0", "0"], ["-1/2"]],
        [["-1"], ["0"], ["1"]],
        ["1", "0", "1"],
        free="all",
        loss=exactdrl.Loss.squared(),
    )
    exactdrl.judge(network).plot().savefig(FOLDER / "point.png", dpi=160)
    save_figure(draw_degenerate(), CONCEPTS / "degenerate.svg", force=True)


def draw_degenerate() -> Figure:
    """Returns a picture of three kinks through one point, where the loss falls between the edges of a basis."""
    with styled("screen") as width:
        figure = Figure(figsize=(0.62 * width, 0.56 * width), layout="constrained")
        axes = figure.add_subplot()
        x, y = np.meshgrid(np.linspace(-1, 1, 401), np.linspace(-1, 1, 401))
        loss = 3 * np.abs(x - y) + (np.abs(x) + np.abs(y)) / 5 - x - y
        axes.contour(x, y, loss, levels=np.arange(-1.5, 8, 0.5), colors="0.75", linewidths=0.7, linestyles="solid")
        axes.contourf(x, y, loss, levels=[-10, 0], colors=[GREEN], alpha=0.25)
        for ends, name in (([0, 0, -1, 1], "kink 1"), ([-1, 1, 0, 0], "kink 2"), ([-1, 1, -1, 1], "kink 3")):
            axes.plot(ends[:2], ends[2:], color=BLUE)
            axes.annotate(name, (ends[1], ends[3]), xytext=(3, 3), textcoords="offset points", color=BLUE)
        for step in ((0.55, 0), (-0.55, 0), (0, 0.55), (0, -0.55)):
            axes.annotate("", step, (0, 0), arrowprops={"arrowstyle": "-|>", "color": ORANGE, "lw": 1.6})
        axes.annotate("the loss falls", (0.5, 0.55), xytext=(-0.25, 0.8), color=GREEN, arrowprops={"arrowstyle": "-"})
        axes.set_aspect("equal")
        axes.set_axis_off()
    return figure


if __name__ == "__main__":
    main()
