"""Makes the records about cells anew: python proofs/records/cells.py FOLDER [NAME ...].

Each record is NAME.json, an instance, and NAME.drl, what a command of exactdrl says of its data (CELLS.md). Needs
exactdrl to be installed; to check a record nothing is needed but Python: python -I -S proofs/check.py NAME.json
NAME.drl.
"""

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent / "cells"

# Wu, Simsek and Ged, arXiv:2402.05626, first experiment; Boursier and Flammarion, arXiv:2401.10791
W1 = [("-1", "0.28"), ("-0.6", "-0.1"), ("-0.1", "0.03"), ("0.3", "0.23"), ("0.7", "-0.22")]
B = [("-3/4", "11/10"), ("-1/2", "1/10"), ("1/8", "4/5")]
THREE = [("-1", "-1"), ("0", "1"), ("1", "1")]
BUMP = [(str(x), str(int(x == 4))) for x in range(1, 8)]  # noqa: PLR2004 - the middle of seven

Case = tuple[list[tuple[str, str]], str]

CASES: dict[str, Case] = {
    "w1-cells": (W1, "cells --judge"),
    "b-cells": (B, "cells --judge"),
    "three-cells": (THREE, "cells --judge --units 2"),
    "three-cells-absolute": (THREE, "cells --judge --units 2 --loss absolute"),
    "w1-width-1": (W1, "global --units 1"),
    "w1-width-2": (W1, "global --units 2"),
    "w1-width-3": (W1, "global --units 3"),
    "w1-width-4": (W1, "global --units 4"),
    "b-width-1": (B, "global --units 1"),
    "b-width-2": (B, "global --units 2"),
    "bump-width-2": (BUMP, "global --units 2 --loss absolute --output-bias"),
    "bump-width-3": (BUMP, "global --units 3 --loss absolute --output-bias"),
    "three-spurious": (THREE, "spurious --widths 1,3,2,1"),
    "three-spurious-absolute": (THREE, "spurious --widths 1,2,1 --no-output-bias --loss absolute"),
    "w1-spurious": (W1, "spurious --widths 1,4,4,4,1 --activation 1/10,1"),
    "bump-spurious": (BUMP, "spurious --widths 1,4,1 --loss absolute"),
}


def make(name: str, folder: Path) -> None:
    """Makes a record in a folder."""
    rows, command = CASES[name]
    table = folder / f"{name}.csv"
    with table.open("w", encoding="ascii", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("x", "y"), *rows])
    verb, *options = command.split()
    output = folder / (f"{name}.json" if verb == "spurious" else f"{name}.drl")
    words = [sys.executable, "-m", "exactdrl_cli", verb, table, "--target", "y", *options, "-o", output, "--force"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    table.unlink()


def main(arguments: Sequence[str]) -> None:
    """Makes the records that are named, or all."""
    folder, *names = arguments
    for name in names or CASES:
        make(name, Path(folder))
        print(name)  # noqa: T201 - a script that prints


if __name__ == "__main__":
    main(sys.argv[1:])
