"""Makes the gallery's figures again: python docs/gallery/make.py."""

from pathlib import Path

from gmpy2 import mpq

import exactdrl

FOLDER = Path(__file__).parent


def main() -> None:
    """Draws each figure from the instance that its page names."""
    problem = exactdrl.sample_experiment((2, 5, 3, 1), samples=40, seed=3)
    result = exactdrl.walk(problem, rule="steepest")
    result.plot_slice().savefig(FOLDER / "slice.png", dpi=160)
    result.plot_slice(zoom=mpq(8)).savefig(FOLDER / "slice-near.png", dpi=160)
    result.plot().savefig(FOLDER / "losses.png", dpi=160)


if __name__ == "__main__":
    main()
