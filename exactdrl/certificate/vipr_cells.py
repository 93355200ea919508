"""Writes VIPR certificates that a hidden cell has no minimum with some signs of the outer weights.

The minima of a cell's relaxation, with their signs, are a cone's section: variables V and τ >= 1, f(x_k) = t_k τ for
tied samples and f(x_k) beyond t_k τ for the others, and σ v · x >= 1 for every unit with a sign and every sample. A
solution over τ is a minimum with these signs, and such a minimum, scaled, is a solution (proofs/CELLS.md, section 4).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from gmpy2 import mpq

from exactdrl.certificate.vipr import Row, sparse
from exactdrl.exact.rationals import InputError, to_text
from exactdrl.hidden_cells.farkas import Farkas
from exactdrl.hidden_cells.instances import to_setting
from exactdrl.hidden_cells.judge import judge_cell
from exactdrl.hidden_cells.relaxation import Relaxation
from exactdrl.hidden_cells.setting import Setting
from exactdrl.problem.file import read_bytes
from exactdrl.problem.instance import Instance

_ZERO, _ONE = mpq(0), mpq(1)
_SIDES = {"+": 1, "-": -1}


def is_cells_file(path: Path) -> bool:
    """Returns whether a file says that it is about hidden cells.

    Raises:
        InputError: it cannot be read.
    """
    return b'"exactdrl-cells"' in read_bytes(path)[:200]


def vipr_of_cells(instance: Instance, path: Path) -> list[list[str]]:
    """Returns the lines of a VIPR certificate for each sign choice that a cells file calls infeasible.

    The cells are judged anew.

    Args:
        instance: that of the file.
        path: a file as proofs/CELLS.md has it.

    Raises:
        InputError: the file cannot be read, or a line is not of the format, or does not fit the instance.
    """
    found = []
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        try:
            content = json.loads(line)
        except ValueError:
            raise InputError(f"{path}: line {number}: not JSON") from None
        patterns = content.get("judged") if isinstance(content, dict) else None
        if patterns is None:
            continue
        samples = len(instance.inputs)
        if not isinstance(patterns, list) or not all(
            isinstance(pattern, str) and len(pattern) == samples and set(pattern) <= {"0", "1"} for pattern in patterns
        ):
            raise InputError(f"{path}: line {number}: judged: not patterns of {samples} bits")
        setting = to_setting(instance, len(patterns))
        judged = judge_cell(setting, patterns)
        for signs, farkas in judged.infeasible:
            found.append(list(choice_lines(setting, judged.relaxation, patterns, signs, farkas)))
    return found


def choice_lines(
    setting: Setting, relaxation: Relaxation, patterns: Sequence[str], signs: str, farkas: Farkas
) -> Iterator[str]:
    """Yields the lines of a VIPR certificate that a sign choice is infeasible.

    Args:
        setting: data, loss and shape of the network.
        relaxation: of the cell.
        patterns: of its units.
        signs: the choice.
        farkas: why it is not feasible.
    """
    dimension, width = setting.samples.dimension, len(relaxation.variables)
    scale = width
    goals = [
        y + r if setting.loss == "squared" else y for y, r in zip(setting.targets, relaxation.residuals, strict=True)
    ]
    still = [
        unit * dimension + column
        for unit, sign in enumerate(signs)
        if sign not in _SIDES
        for column in range(dimension)
    ]
    bounds = [f"T G 1 1 {scale} 1", *(f"N{variable} E 0 1 {variable} 1" for variable in still)]
    rows: list[str] = []
    fitted = [
        sum((p * row[column] for p, row in zip(farkas.fits, relaxation.matrix, strict=True) if p), _ZERO)
        for column in range(width)
    ]
    room = sum((p * t for p, t in zip(farkas.fits, goals, strict=True)), _ZERO)
    derived: Row = [(0, room), *((1 + place, -fitted[variable]) for place, variable in enumerate(still))]
    right = room
    for unit, sign in enumerate(signs):
        if sign not in _SIDES:
            continue
        for sample, multiplier in enumerate(farkas.cones[unit]):
            x = setting.samples.vector(sample)
            if any(x):
                side = _SIDES[sign] * (1 if patterns[unit][sample] == "1" else -1)
                derived.append((len(bounds) + len(rows), multiplier))
                row: Row = [(unit * dimension + column, side * entry) for column, entry in enumerate(x)]
                rows.append(f"C{unit}_{sample} G 1 {sparse(row)}")
                right += multiplier
    for sample, (coefficients, goal) in enumerate(zip(relaxation.matrix, goals, strict=True)):
        sense = "E" if relaxation.is_tied[sample] else "G" if relaxation.dual[sample] > 0 else "L"
        derived.append((len(bounds) + len(rows), farkas.fits[sample]))
        rows.append(f"F{sample} {sense} 0 {sparse([*enumerate(coefficients), (scale, -goal)])}")
    names = [f"v{unit}_{column}" for unit in range(len(patterns)) for column in range(dimension)]
    yield "VER 1.0"
    yield f"VAR {width + 1}"
    yield " ".join([*names, *(["c"] if setting.has_output_bias else []), "tau"])
    yield "INT 0"
    yield "OBJ min"
    yield "0"
    yield f"CON {len(bounds) + len(rows)} {len(bounds)}"
    yield from (*bounds, *rows)
    yield "RTP infeas"
    yield "SOL 0"
    yield "DER 1"
    yield f"empty G {to_text(right)} 0 {{ lin {sparse(derived)} }} -1"
