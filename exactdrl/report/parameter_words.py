"""The words for parameters, directions and points of parameter space.

`W2[0,1]` is the weight to unit 0 of layer 2 from unit 1 of layer 1, and `b2[0]` the bias of unit 0 of layer 2: layers
are counted from 1, the network's inputs being layer 0, and units from 0, as in NumPy.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.exact.rationals import to_float, to_text

# rows [W | b] of a layer, or [W] without a bias
Rows: TypeAlias = Sequence[Sequence[mpq]]

# entries of a direction and units of a point that are listed one by one, and characters of a fraction
_LISTED, _UNITS, _LONGEST = 6, 8, 14


def parameter_name(layer: int, unit: int, column: int, *, is_bias: bool) -> str:
    """Returns a parameter's name.

    Args:
        layer: the layer's number, from 1.
        unit: the unit's number, from 0.
        column: the number, from 0, of the unit or input that the weight comes from; it does not matter for a bias.
        is_bias: whether the parameter is a bias.
    """
    return f"b{layer}[{unit}]" if is_bias else f"W{layer}[{unit},{column}]"


def legend_words(direction: Sequence[tuple[int, Rows, bool]]) -> str:
    """Returns what names of parameters mean, by the names of one unit in the highest layer that a direction moves.

    Args:
        direction: see `direction_words`; it has a layer.
    """
    moved = [entry for entry in direction if any(value for row in entry[1] for value in row)]
    layer, rows, has_bias = max(moved or direction, key=lambda entry: entry[0])
    meanings, last = [], len(rows[0]) - has_bias - 1
    if last >= 0:
        column = min(1, last)
        source = "input {}" if layer == 1 else f"unit {{}} of layer {layer - 1}"
        name = parameter_name(layer, 0, column, is_bias=False)
        meanings.append(f"{name} is the weight to unit 0 of layer {layer} from {source.format(column)}")
    if has_bias:
        name = parameter_name(layer, 0, 0, is_bias=True)
        meanings.append(f"{name} a bias" if meanings else f"{name} is the bias of unit 0 of layer {layer}")
    counted = "units and inputs" if layer == 1 else "units"
    return f"{', '.join(meanings)}; {counted} are counted from 0"


def direction_words(direction: Sequence[tuple[int, Rows, bool]]) -> str:
    """Returns which parameters a direction moves, and by how much: the first few, and the number of the others.

    Args:
        direction: for each layer its number from 1, its rows, and whether their last column is the bias.
    """
    moves = [
        (parameter_name(layer, unit, column, is_bias=has_bias and column == len(row) - 1), value)
        for layer, rows, has_bias in direction
        for unit, row in enumerate(rows)
        for column, value in enumerate(row)
        if value
    ]
    words = ", ".join(f"{name} by {_number(value)}" for name, value in moves[:_LISTED])
    more = len(moves) - _LISTED
    if more > 0:
        words += f", and {more} other parameter{'s' * (more > 1)}"
    return words or "no parameter"


def handy_exponent(entries: Iterable[mpq]) -> int:
    """Returns e such that a direction's numbers are easy to read when multiplied by 2^e; 0 if all are short already.

    The largest entry is then between 1/2 and 2.
    """
    sizes = [abs(entry) for entry in entries]
    if all(len(to_text(size)) <= _LONGEST for size in sizes):
        return 0
    largest = max(sizes)
    return int(largest.denominator.bit_length() - largest.numerator.bit_length())


def point_lines(layers: Sequence[tuple[int, Rows, bool]]) -> Iterator[str]:
    """Yields a line for each unit of a point with its parameters; of many units one line says how many there are."""
    units = sum(len(rows) for _, rows, _ in layers)
    if units > _UNITS:
        entries = sum(len(row) for _, rows, _ in layers for row in rows)
        yield f"it has {units} units and {entries} parameters, which --json prints"
        return
    for layer, rows, has_bias in layers:
        for unit, row in enumerate(rows):
            weights = ", ".join(map(_number, row[:-1] if has_bias else row))
            bias = f"; bias {_number(row[-1])}" if has_bias else ""
            yield f"layer {layer} unit {unit}: weights {weights or 'none'}{bias}"


def _number(value: mpq) -> str:
    """Returns a fraction where it is short, else a decimal that is said to be near it."""
    text = to_text(value)
    return text if len(text) <= _LONGEST else f"≈{to_float(value):.6g}"
