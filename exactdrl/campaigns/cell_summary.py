"""The results of runs that judge cells: shares of cells, of weight space and of drawn weights, by d, N and K.

The runs of a group are independent, and each is one trial of each kind: one weight vector, one cell picked at random,
one data set. So Clopper and Pearson's intervals hold. The cells of all runs together are no independent trials; their
share is given without an interval.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.campaigns.cell_case import KIND
from exactdrl.campaigns.statistics import Share, clopper_pearson
from exactdrl.campaigns.table import Row
from exactdrl.engine.job import DONE
from exactdrl.exact.rationals import parse_rational

VERDICTS = ("genuine", "bad")
_SHAPE = ("distribution", "inputs", "samples", "units", "bits", "loss", "draws")


@dataclass(frozen=True, slots=True)
class OpenShare:
    """A share of trials of which some are undecided.

    Attributes:
        share: the share among the trials, where undecided ones do not count as hits, with an interval that holds
            whatever the undecided ones are.
        undecided: how many trials are undecided.
    """

    share: Share
    undecided: int

    def to_json(self) -> dict[str, object]:
        """Returns the share as a JSON object."""
        return self.share.to_json() | {"undecided": self.undecided}


@dataclass(frozen=True, slots=True)
class CellGroup:
    """What the runs of a group show.

    Attributes:
        name: the group's name.
        shape: what the runs have in common, by column.
        runs: how many runs there are.
        statuses: how many runs have each status: done, limit, failed.
        cells: how many hidden cells all runs have, and how many of these have a genuine and a bad minimum; None where
            only the cells of drawn weights are judged.
        masses: for each verdict, two rationals between which the mean share of weight space lies; empty where it is
            unknown.
        weights: for each verdict, the share of drawn weights in such cells.
        picked: for each verdict, the share of such cells, by the cell picked in each run; empty where only the cells of
            drawn weights are judged.
        data: the share of runs with a bad minimum; None where only the cells of drawn weights are judged.
    """

    name: str
    shape: Mapping[str, object]
    runs: int
    statuses: Mapping[str, int]
    cells: Mapping[str, int] | None
    masses: Mapping[str, tuple[mpq, mpq]]
    weights: Mapping[str, OpenShare]
    picked: Mapping[str, OpenShare]
    data: Share | None

    def to_json(self) -> dict[str, object]:
        """Returns the group as a JSON object."""
        return {
            **self.shape,
            "runs": self.runs,
            "statuses": dict(self.statuses),
            "cells": None if self.cells is None else dict(self.cells),
            "weight_space": {name: [outward(low, -1), outward(high, 1)] for name, (low, high) in self.masses.items()},
            "weights": {name: share.to_json() for name, share in self.weights.items()},
            "picked": {name: share.to_json() for name, share in self.picked.items()},
            "data_with_bad": None if self.data is None else self.data.to_json(),
        }


def outward(value: mpq, side: int) -> float:
    """Returns a number to six decimals, rounded down (-1) or up (1)."""
    scaled = value * 10**6
    rounded = scaled.numerator // scaled.denominator if side < 0 else -(-scaled.numerator // scaled.denominator)
    return int(rounded) / 10**6


def summarise_cells(rows: Sequence[Row]) -> tuple[CellGroup, ...]:
    """Returns what the runs of a table that judge cells show, by group."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.get("kind") == KIND:
            groups.setdefault(str(row["group"]), []).append(row)
    return tuple(_group(name, group) for name, group in groups.items())


def _group(name: str, rows: Sequence[Row]) -> CellGroup:
    done = [row for row in rows if row["status"] == DONE]
    whole = [row for row in done if "cells" in row]
    measured = [row for row in whole if "mass_genuine_low" in row]
    return CellGroup(
        name,
        {column: rows[0][column] for column in _SHAPE},
        len(rows),
        dict(sorted(Counter(str(row["status"]) for row in rows).items())),
        {column: sum(_count(row, column) for row in whole) for column in ("cells", *VERDICTS)} if whole else None,
        {verdict: _mean_mass(measured, verdict) for verdict in VERDICTS} if measured else {},
        {verdict: _share(done, f"drawn_{verdict}") for verdict in VERDICTS},
        {verdict: _share(whole, f"picked_{verdict}") for verdict in VERDICTS} if whole else {},
        clopper_pearson(sum(_count(row, "bad") > 0 for row in whole), len(whole)) if whole else None,
    )


def _count(row: Row, column: str) -> int:
    value = row[column]
    if not isinstance(value, int):
        raise TypeError(f"{row['name']}: {column} is {value!r}, no count")
    return value


def _mean_mass(rows: Sequence[Row], verdict: str) -> tuple[mpq, mpq]:
    low, high = (
        sum((parse_rational(str(row[f"mass_{verdict}_{side}"])) for row in rows), mpq(0)) / len(rows)
        for side in ("low", "high")
    )
    return low, high


def _share(rows: Sequence[Row], column: str) -> OpenShare:
    holds, undecided = (sum(row[column] is value for row in rows) for value in (True, None))
    known = clopper_pearson(holds, len(rows))
    most = clopper_pearson(holds + undecided, len(rows))
    return OpenShare(Share(known.count, known.total, known.low, most.high), undecided)
