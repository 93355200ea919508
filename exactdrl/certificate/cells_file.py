"""Writes a cells file: claims about hidden cells, global and spurious minima (proofs/CELLS.md)."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from gmpy2 import gcd, mpq

from exactdrl.constructions.plain_network import PlainNetwork
from exactdrl.constructions.spurious import SpuriousMinimum
from exactdrl.exact.rationals import InputError, to_text
from exactdrl.hidden_cells.branch import BoundLeaf, FlatLeaf, GlobalMinimum
from exactdrl.hidden_cells.dichotomies import UnitCell
from exactdrl.hidden_cells.inradius import Inradius
from exactdrl.hidden_cells.judge import Judged
from exactdrl.hidden_cells.samples import Samples
from exactdrl.hidden_cells.setting import Network, Setting
from exactdrl.problem.output import new_file, raise_unwritable

FORMAT, VERSION = "exactdrl-cells", 1


def _texts(values: Iterable[mpq]) -> list[str]:
    return [to_text(value) for value in values]


def _matrix(rows: Iterable[Iterable[mpq]]) -> list[list[str]]:
    return [_texts(row) for row in rows]


def _pairs(pairs: Iterable[tuple[int, mpq]]) -> list[list[object]]:
    return [[sample, to_text(value)] for sample, value in pairs]


def _line(content: dict[str, object]) -> str:
    return json.dumps(content, separators=(",", ":"))


class CellsWriter:
    """Writes a cells file line by line. The file is there when the context ends without an error, and not before."""

    def __init__(self, path: Path, digest: str) -> None:
        """Prepares the file and its header; an existing file is written over.

        Args:
            path: `*.drl` or `*.drl.gz`.
            digest: of the instance.

        Raises:
            InputError: the file cannot be written.
            MachineError: the disk is full, or the machine failed otherwise.
        """
        self._files = ExitStack()
        partial = self._files.enter_context(new_file(path, force=True))
        try:
            is_compressed = path.suffix == ".gz"
            plain = self._files.enter_context(partial.open("wb"))
            self._stream = (
                self._files.enter_context(gzip.GzipFile("", "wb", fileobj=plain, mtime=0)) if is_compressed else plain
            )
        except OSError as error:
            raise_unwritable(path, error)
        self._count = 0
        self._digest = hashlib.sha256()
        self._append(_line({"format": FORMAT, "version": VERSION, "instance": digest}))

    def _append(self, text: str) -> None:
        data = f"{text}\n".encode("ascii")
        self._digest.update(data)
        self._stream.write(data)

    def write(self, lines: Iterable[str]) -> None:
        """Appends claims."""
        for line in lines:
            self._append(line)
            self._count += 1

    def __enter__(self) -> Self:
        """Returns the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the file; after an error, or if nothing is claimed, there is none."""
        if kind is None and not self._count:
            kind, error = InputError, InputError("there is nothing to write")
        if kind is None:
            self._append(_line({"end": {"lines": self._count, "sha256": self._digest.hexdigest()}}))
        self._files.__exit__(kind, error, trace)


def cell_lines(samples: Samples, cell: UnitCell, ball: Inradius) -> Iterator[str]:
    """Yields the line about one cell of one unit."""
    first: dict[int, int] = {}
    for sample, place in enumerate(samples.places):
        if place is not None:
            first.setdefault(place[0], sample)
    pairs = []
    for plane, number in ball.multipliers:
        sample = first[plane]
        # the hyperplane's vector is x̃_k times its denominator, without the common factor
        pairs.append((sample, number * samples.scales[sample] / gcd(*samples.rows[sample])))
    yield _line(
        {
            "cell": cell.pattern,
            "center": _texts(ball.center),
            "radius": to_text(ball.radius),
            "multipliers": _pairs(sorted(pairs)),
        }
    )


def complete_lines(count: int) -> Iterator[str]:
    """Yields the line that says that no cell is missing."""
    yield _line({"complete": count})


def judged_lines(setting: Setting, judged: Judged) -> Iterator[str]:
    """Yields the line about the minima of one hidden cell."""
    size, units = setting.samples.dimension, len(judged.patterns)

    def split(variables: Sequence[mpq], name: str) -> dict[str, object]:
        rows = [_texts(variables[unit * size : (unit + 1) * size]) for unit in range(units)]
        return {name: rows, "constant": to_text(variables[-1] if setting.has_output_bias else mpq(0))}

    yield _line(
        {
            "judged": list(judged.patterns),
            **split(judged.relaxation.variables, "optimum"),
            "dual": _texts(judged.relaxation.dual),
            "feasible": [{"signs": choice.signs, **split(choice.variables, "v")} for choice in judged.feasible],
            "infeasible": [
                {"signs": signs, "cones": _matrix(farkas.cones), "fits": _texts(farkas.fits)}
                for signs, farkas in judged.infeasible
            ],
        }
    )


def _network(network: Network) -> dict[str, object]:
    return {
        "units": _matrix(network.units),
        "outer": _texts(network.outer),
        "constant": to_text(network.constant),
    }


def bad_lines(patterns: Sequence[str], network: Network) -> Iterator[str]:
    """Yields the line that says that a network is better than a hidden cell's genuine minimum."""
    yield _line({"bad": list(patterns), **_network(network)})


def global_lines(found: GlobalMinimum) -> Iterator[str]:
    """Yields the line about the global minimum, and the lines of its proof."""
    yield _line(
        {
            "global": to_text(found.loss),
            **_network(found.network),
            "order": list(found.order),
            "leaves": len(found.leaves),
        }
    )
    for leaf in found.leaves:
        content: dict[str, object] = {"leaf": leaf.signs, "bits": leaf.bits}
        match leaf:
            case BoundLeaf():
                content |= {"dual": _texts(leaf.dual), "multipliers": [_pairs(pairs) for pairs in leaf.multipliers]}
            case FlatLeaf():
                content |= {"flat": leaf.unit, "multipliers": _pairs(leaf.multipliers)}
            case _:
                content |= {"twin": leaf.unit}
        yield _line(content)


def _layers(network: PlainNetwork) -> list[dict[str, object]]:
    return [
        {"weight": _matrix(layer.weight), "bias": None if layer.bias is None else _texts(layer.bias)}
        for layer in network.layers
    ]


def spurious_lines(found: SpuriousMinimum) -> Iterator[str]:
    """Yields the lines about a spurious minimum."""
    yield _line({"minimum": "affine-fit", "radius": to_text(found.radius), "dual": _matrix(found.affine.dual)})
    if found.better is not None:
        yield _line({"better": _layers(found.better)})
    yield _line({"valley": [_layers(point) for point in found.valley]})
