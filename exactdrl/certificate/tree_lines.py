"""The witness of a tree as JSON, inside the certificate's outcome line."""

from gmpy2 import mpq

from exactdrl.cells.kinks import Kink
from exactdrl.exact.rationals import InputError, parse_rational, to_text
from exactdrl.minimality.tree.witness import BlockWitness, Leaf, TreeWitness

_SIGNS = {"+": 1, "-": -1}


def witness_fields(witness: TreeWitness) -> dict[str, object]:
    """Returns the keys that a tree's witness adds to the outcome line."""
    return {
        "settled": [[kink, to_text(multiplier)] for kink, multiplier in witness.settled],
        "blocks": [
            {
                "units": block.units,
                "kinks": block.kinks,
                "leaves": [_leaf_fields(block, leaf) for leaf in block.leaves],
            }
            for block in witness.blocks
        ],
    }


def _leaf_fields(block: BlockWitness, leaf: Leaf) -> dict[str, object]:
    signs = dict(leaf.signs)
    text = "".join("." if kink not in signs else "+" if signs[kink] > 0 else "-" for kink in block.kinks)
    fields = {"signs": text, "empty": leaf.is_empty, "multipliers": [to_text(value) for value in leaf.multipliers]}
    covers = [{"kink": kink, "shares": [to_text(share) for share in shares]} for kink, shares in leaf.covers]
    return {**fields, "covers": covers} if covers else fields


def parse_witness(line: dict[str, object], place: str) -> TreeWitness:
    """Returns the witness of an outcome line.

    Raises:
        InputError: it is not of the format.
    """
    settled = tuple((_parse_kink(kink, place), _parse_number(number, place)) for kink, number in _pairs(line, place))
    return TreeWitness(settled, tuple(_parse_block(block, place) for block in _parse_list(line.get("blocks"), place)))


def _pairs(line: dict[str, object], place: str) -> list[tuple[object, object]]:
    pairs: list[tuple[object, object]] = []
    for entry in _parse_list(line.get("settled"), place):
        match entry:
            case [kink, number]:
                pairs.append((kink, number))
            case _:
                raise InputError(f"{place}: a settled kink is not of the format")
    return pairs


def _parse_block(value: object, place: str) -> BlockWitness:
    match value:
        case {"units": list(units), "kinks": list(kinks), "leaves": list(leaves)} if all(type(u) is int for u in units):
            parsed = tuple(_parse_kink(kink, place) for kink in kinks)
            return BlockWitness(tuple(units), parsed, tuple(_parse_leaf(parsed, leaf, place) for leaf in leaves))
    raise InputError(f"{place}: a block is not of the format")


def _parse_leaf(kinks: tuple[Kink, ...], value: object, place: str) -> Leaf:
    match value:
        case {"signs": str(signs), "empty": bool(empty), "multipliers": list(numbers), **more} if len(signs) == len(
            kinks
        ):
            fixed = tuple((kink, _SIGNS[sign]) for kink, sign in zip(kinks, signs, strict=True) if sign in _SIGNS)
            covers = tuple(_parse_cover(cover, place) for cover in _parse_list(more.get("covers", []), place))
            return Leaf(fixed, _parse_numbers(numbers, place), empty, covers)
    raise InputError(f"{place}: a leaf is not of the format")


def _parse_cover(value: object, place: str) -> tuple[Kink, tuple[mpq, ...]]:
    match value:
        case {"kink": kink, "shares": shares}:
            return _parse_kink(kink, place), _parse_numbers(shares, place)
    raise InputError(f"{place}: a cover is not of the format")


def _parse_list(value: object, place: str) -> list[object]:
    if not isinstance(value, list):
        raise InputError(f"{place}: a list is missing")
    return value


def _parse_kink(value: object, place: str) -> Kink:
    if not isinstance(value, list) or [type(part) for part in value] != [int, int, int]:
        raise InputError(f"{place}: a kink is not three integers")
    return Kink(*value)


def _parse_numbers(value: object, place: str) -> tuple[mpq, ...]:
    return tuple(_parse_number(number, place) for number in _parse_list(value, place))


def _parse_number(value: object, place: str) -> mpq:
    if isinstance(value, str):
        return parse_rational(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{place}: a number is missing, or not written exactly")
    return mpq(value)
