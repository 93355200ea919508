"""How a loss changes near a point, as one layer's parameters do, and what shows a local minimum (section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import Any

from .exact import ONE, ZERO, Rows, dot, echelon
from .instance import Instance, Pair
from .reading import ANY, SOME, Line, demand, numeral, parse, rational, require

Kink = tuple[int, int, int]  # layer, sample, unit
Key = tuple[int, ...]  # (p,) for parameter p, a kink k for |z_k|
Form = dict[Key, Fraction]  # nonzero coefficients
Bend = tuple[Fraction, Fraction]  # the change z becomes slope · z + fold · |z|; what has a fold vanishes at the point
Bends = list[list[list[Bend]]]


def parse_kink(value: Any, place: str, first: int, widths: Sequence[int], count: int) -> Kink:
    """Returns the address of a kink, in a layer from the first one on, of as many units, on one of so many samples."""
    layer, sample, unit = parse(value, [ANY, [3]], f"{place}: kink")
    is_one = sample < count and layer - first in range(len(widths))
    demand(is_one and unit < widths[layer - first], f"{place}: kink: out of range")
    return layer, sample, unit


def shape_tree(kink: Callable[[Any, str], Kink], units: int) -> Line:
    """Returns the keys of a tree, whose kinks are parsed by a function and whose blocks are of these units."""
    return {"settled": partial(parse_settled, kink=kink), "blocks": [partial(parse_block, kink=kink, units=units), ANY]}


def parse_settled(value: Any, place: str, kink: Callable[[Any, str], Kink]) -> dict[Kink, Any]:
    """Returns the settled kinks with their multipliers, which stay text (section 4, line 4)."""
    pairs = parse(value, [[lambda entry, _: entry, [2]], ANY], place)
    kinks = [kink(address, place) for address, _ in pairs]
    demand(kinks == sorted(set(kinks)), f"{place}: not in address order, each once")
    return {kink: numeral(number, place) for kink, (_, number) in zip(kinks, pairs)}


def parse_block(value: Any, place: str, kink: Callable[[Any, str], Kink], units: int) -> Line:
    """Returns a block (section 4, line 4); the multipliers stay text."""
    leaf = {"signs": "[+.-]*", "empty": {True, False}, "multipliers": [numeral, ANY]}
    leaf["covers?"] = [{"kink": kink, "shares": [numeral, ANY]}, ANY]
    shape = {"units": [range(units), SOME], "kinks": [kink, ANY], "leaves": [leaf, SOME]}
    block: Line = parse(value, shape, place)
    for key in ("units", "kinks"):
        demand(block[key] == sorted(set(block[key])), f"{place}: {key}: not in order, each once")
    for leaf in block["leaves"]:
        own, covers = block["kinks"], leaf.setdefault("covers", [])
        lists = [leaf["signs"], leaf["multipliers"], *(cover["shares"] for cover in covers)]
        is_fit = {*map(len, lists)} == {len(own)} and all(cover["kink"] in own for cover in covers)
        demand(is_fit, f"{place}: leaves: signs, multipliers or covers do not fit the kinks")
    return block


def find_bends(instance: Instance, values: list[Any]) -> Bends:
    """Returns how the last layers' units and the loss change with their preactivations and the residuals.

    These values may be others of the same signs, unless the loss is squared.
    """
    slopes: list[Any] = [[pairs] * len(values[0]) for pairs in instance.activations[-len(values) : -1]]
    slopes += [] if instance.slopes is None else [instance.slopes]
    bends = [[[*map(find_bend, *both)] for both in zip(*layer)] for layer in zip(values, slopes)]
    if instance.slopes is None:
        bends.append([[(2 * share * r, ZERO) for r in row] for row, share in zip(values[-1], instance.shares)])
    return bends


def find_bend(value: Any, slopes: Pair) -> Bend:
    """Returns how a function with slopes below and above 0 changes at a value."""
    below, above = slopes
    return (slopes[value > 0], ZERO) if value else ((below + above) / 2, (above - below) / 2)


def check_duals(bends: list[list[Bend]], duals: Rows, rows: Rows, place: str, reason: str) -> None:
    """Checks that numbers are subgradients of the loss, and that the columns of a table are orthogonal to them."""
    for i, both in enumerate(zip(bends, duals)):
        for j, ((slope, fold), e) in enumerate(zip(*both)):
            require(abs(e - slope) <= fold, f"{place}: no subgradient at sample {i}, output {j}")
    require(not any(dot(column, own) for column in zip(*rows) for own in zip(*duals)), reason)


def mix(terms: Iterable[tuple[Fraction, Form]]) -> Form:
    """Returns the sum of multiples of forms; coefficients that cancel vanish."""
    total: Form = {}
    for factor, form in terms:
        for key, value in form.items() if factor else ():
            total[key] = total.get(key, ZERO) + factor * value
    return {key: value for key, value in total.items() if value}


class LocalForm:
    """How the loss changes near a point (section 5): F as (g, b), and the forms (Z_j, L_j) of the active kinks.

    Layers count by depth: 0 is layer `first`, whose parameters change, `free` by unit and column. `given` is what it is
    given. `weights` are those of the layers behind it, `bends` are of depths, samples, units, at last of the loss.
    """

    def __init__(self, first: int, given: Rows, weights: list[Rows], bends: Bends, free: list[tuple[int, int]]) -> None:
        self.first, self.given, self.bends, self.free, self.rows = first, given, bends, free, dict[Kink, Form]()
        self.weights: list[Rows] = [[], *weights, [[ONE] * len(bends[-1][0])]]
        self.keys: set[Key] = {(p,) for p in range(len(free))}
        self.units: dict[int, list[Key]] = {}  # the parameters of each unit, for blocks
        for p, (j, _) in enumerate(free):
            self.units.setdefault(j, []).append((p,))
        for depth, rows in enumerate(bends):
            for sample, row in enumerate(rows):
                for unit in [u for u, (_, fold) in enumerate(row) if fold]:
                    form = self.find_change(sample, depth, [Fraction(u == unit) for u in range(len(row))])
                    self.rows |= {(first + depth, sample, unit): form} if form else {}
        self.change = mix((ONE, self.find_change(sample, len(bends), [ONE])) for sample in range(len(given)))

    def find_change(self, sample: int, depth: int, v: list[Any]) -> Form:
        """Returns the change of v · (what a sample has at a depth, after the last its loss), by the rows before it."""
        form: Form = {}
        for d in range(depth - 1, -1, -1):
            v = [dot(column, v) for column in zip(*self.weights[d + 1])]
            for unit, (share, (slope, fold)) in enumerate(zip(v, self.bends[d][sample])):
                kink, v[unit] = (self.first + d, sample, unit), share * slope
                form |= {kink: share * fold} if fold and kink in self.rows else {}
        form |= {(p,): v[j] * self.given[sample][k] for p, (j, k) in enumerate(self.free) if v[j]}
        return {key: value for key, value in form.items() if value}

    def reduce(self) -> None:
        """Reduces the form until nothing changes (section 5)."""
        leaders: dict[frozenset[tuple[Key, Fraction]], tuple[Kink, Fraction]] = {}
        owners: dict[Key, list[Form]] = {kink: [] for kink in self.rows}  # what has |z_k|
        for form in (self.change, *self.rows.values()):
            for key in form.keys() & owners.keys():
                owners[key].append(form)
        for kink, form in list(self.rows.items()):
            lead = form[min(form)] if form else ZERO
            leader, scale = leaders.setdefault(frozenset((key, x / lead) for key, x in form.items()), (kink, lead))
            if not form or leader != kink:
                del self.rows[kink]
                for owner in owners.pop(kink):
                    total = owner.pop(kink, ZERO) * (abs(lead / scale) if form else 0) + owner.pop(leader, ZERO)
                    owner.update({leader: total} if total else {})
                    owners.get(leader, []).append(owner)
        while unused := self.rows.keys() - set(self.change).union(*self.rows.values()):
            self.rows = {kink: form for kink, form in self.rows.items() if kink not in unused}

    def find_likq(self) -> Line:
        """Returns LIKQ as a tree: without blocks, and the settled kinks have the only multipliers that there are."""
        # A column for each Z_j and the last one for g: if the Z_j are independent, g = Zᵀλ reads off the echelon form
        columns, count = [*self.rows.values(), self.change], len(self.rows)
        system = echelon([column.get(key, ZERO) for column in columns] for key in self.keys)
        require([*system][:count] == [*range(count)], f"outcome: no LIKQ, the {count} reduced kinks are dependent")
        return {"settled": {kink: row[-1] for kink, row in zip(self.rows, system.values())}, "blocks": []}

    def find_rank(self, kinks: list[Kink], keys: set[Key], left: Iterable[Kink] = ()) -> int:
        """Returns the rank of Z of the kinks left, and of kinks whose keys are known or belong to such kinks."""
        known: set[Any] = keys.union(left)
        for kink in kinks:
            known |= {kink} if self.rows[kink].keys() <= known else set()
        rows = (self.rows[kink] for kink in known.difference(keys))
        return len(echelon([row.get(key, ZERO) for key in keys] for row in rows))

    def check_tree(self, tree: Line, *, strict: bool) -> None:
        """Checks that the vertex is a local minimum by a tree, a strict one if asked (section 5)."""
        settled, blocks = tree["settled"], tree["blocks"]
        left = [kink for block in blocks for kink in block["kinks"]]
        require(sorted([*settled, *left]) == sorted(self.rows), "outcome: it does not hold each reduced kink once")
        units = [unit for block in blocks for unit in block["units"]]
        require(len(set(units)) == len(units), "outcome: a unit is in two blocks")
        terms = ((-rational(x, "outcome"), self.rows[kink]) for kink, x in settled.items())  # short until they are used
        self.change, tight = mix(chain([(ONE, self.change)], terms)), list[Kink]()
        for kink, x in settled.items():
            slack = self.change.pop(kink, ZERO) - abs(rational(x, "outcome"))
            require(slack >= 0, f"outcome: the multiplier of {kink} is too large")
            tight += [kink] if slack else []
        for number, block in enumerate(blocks, 1):
            self.check_block(block, f"outcome: block {number}", strict=strict)
        require(not self.change, "outcome: the slope is not that of the multipliers")
        if strict:
            require(self.find_rank(tight, self.keys, left) == len(self.keys), "outcome: not strict")

    def check_block(self, block: Line, place: str, *, strict: bool) -> None:
        """Checks that F ≥ 0 on a block, and takes the block's share out of F (section 5, tree, 5 to 10)."""
        kinks, leaves, rows = block["kinks"], block["leaves"], self.rows
        keys = {key for unit in block["units"] for key in self.units.get(unit, ())}
        far = next((kink for kink in kinks if not rows[kink].keys() <= keys.union(kinks)), None)
        require(far is None, f"{place}: kink {far} depends on what is not in the block")
        require(is_tree([leaf["signs"] for leaf in leaves]), f"{place}: the leaves are not those of a tree")
        share, rank = {key: self.change.pop(key, ZERO) for key in [*keys, *kinks]}, self.find_rank(kinks, keys)
        for number, leaf in enumerate(leaves, 1):
            spot, empty, signs = f"{place}, leaf {number}", leaf["empty"], dict(zip(kinks, leaf["signs"]))
            multipliers = {kink: rational(text, spot) for kink, text in zip(kinks, leaf["multipliers"])}
            rest = mix([(ZERO if empty else ONE, share), *((-x, rows[kink]) for kink, x in multipliers.items())])
            require(not rest.keys() & keys, f"{spot}: the multipliers do not give the slope")
            slacks = {k: rest.get(k, ZERO) + {"+": x, "-": -x, ".": -abs(x)}[signs[k]] for k, x in multipliers.items()}
            for cover in leaf["covers"]:
                shares = {kink: rational(text, spot) for kink, text in zip(kinks, cover["shares"])}
                bent = mix((x, rows[kink]) for kink, x in shares.items())
                require(not bent.keys() & keys, f"{spot}: the cover of {cover['kink']} is no relation")
                for kink, x in shares.items():
                    slacks[kink] += (abs(x) if kink == cover["kink"] else -abs(x)) - abs(bent.get(kink, ZERO))
            moduli: dict[Key, Form] = {}  # a with |z_j| = a · d on the leaf's cone, for determined kinks j
            for kink, sign in signs.items():
                terms = ((x, moduli.get(key, {key: ONE})) for key, x in rows[kink].items())
                row = rows[kink] if rows[kink].keys().isdisjoint(moduli) else mix(terms)
                if not row or (sign != "." and not row.keys() & rows.keys()):
                    moduli[kink] = mix([(-ONE, row)]) if sign == "-" else row
            resting = {kink for kink, row in moduli.items() if not row}
            low = next((kink for kink in kinks if slacks[kink] < 0 and kink not in resting), None)
            require(low is None, f"{spot}: the multiplier of {low} is too large")
            is_flat = any(slacks[kink] > 0 for kink in kinks if moduli.get(kink))
            require(is_flat or not empty, f"{spot}: the multipliers do not show that it is empty")
            tight = [kink for kink in kinks if slacks[kink] > 0 or kink in resting]
            require(empty or not strict or self.find_rank(tight, keys) == rank, f"{spot}: not strict")


def is_tree(leaves: list[str]) -> bool:
    """Returns whether these are the signs of a tree's leaves, which cover all signs (section 5, tree, 6)."""
    parts = [(leaves, count_signs(leaves), 0)]  # what has to be a tree, its columns' numbers of + and -, signs above it
    while parts:
        part, counts, depth = parts.pop()
        if len(part) > 1 or sum(map(sum, counts)) != depth:
            split = next((k for k, both in enumerate(counts) if sum(both) == len(part) and min(both)), None)
            if split is None:
                return False
            small, large = sorted(([signs for signs in part if signs[split] == sign] for sign in "+-"), key=len)
            other = count_signs(small)
            rest = [(a - c, b - d) for (a, b), (c, d) in zip(counts, other)]
            parts += [(large, rest, depth + 1), (small, other, depth + 1)]
    return True


def count_signs(leaves: list[str]) -> list[tuple[int, int]]:
    """Returns how many + and - each column has."""
    return [(column.count("+"), column.count("-")) for column in zip(*leaves)]
