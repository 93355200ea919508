"""A small checker of VIPR certificates of linear programs: sections, solutions, linear derivations. Fractions only."""

from fractions import Fraction


def require(condition, reason):
    if not condition:
        raise ValueError(reason)


class Tokens:
    def __init__(self, text):
        lines = [line for line in text.splitlines() if not line.startswith("%")]
        self.tokens = " ".join(lines).split()
        self.place = 0

    def next(self):
        require(self.place < len(self.tokens), "breaks off")
        self.place += 1
        return self.tokens[self.place - 1]

    def expect(self, *words):
        for word in words:
            require(self.next() == word, f"{word} is missing")

    def number(self):
        return Fraction(self.next())

    def count(self):
        token = self.next()
        require(token.isdigit(), f"{token} is no count")
        return int(token)

    def sparse(self, size):
        row = {}
        for _ in range(self.count()):
            index = self.count()
            require(index < size, "an index is out of range")
            require(index not in row, "an index occurs twice")
            row[index] = self.number()
        return row


def dot(row, point):
    return sum((value * point.get(index, 0) for index, value in row.items()), Fraction(0))


def sense(token):
    require(token in {"E", "L", "G"}, "no sense")
    return {"E": 0, "L": -1, "G": 1}[token]


def holds(side, left, right):
    return left == right if side == 0 else left <= right if side < 0 else left >= right


def check_vipr(text):
    """Returns the proved optimum of a linear program, or "infeasible"."""
    tokens = Tokens(text)
    tokens.expect("VER", "1.0", "VAR")
    size = tokens.count()
    names = [tokens.next() for _ in range(size)]
    require(len(set(names)) == size, "a name occurs twice")
    tokens.expect("INT", "0", "OBJ", "min")
    objective = tokens.sparse(size)
    tokens.expect("CON")
    count, bounds = tokens.count(), tokens.count()
    rows, found_bounds = [], 0
    for _ in range(count):
        tokens.next()
        side, right = sense(tokens.next()), tokens.number()
        row = tokens.sparse(size)
        found_bounds += len(row) == 1
        rows.append((side, right, row))
    require(bounds <= found_bounds, "fewer bounds than said")
    tokens.expect("RTP")
    claim = tokens.next()
    require(claim in {"range", "infeas"}, "nothing claimed")
    low, high = (tokens.number(), tokens.number()) if claim == "range" else (None, None)
    tokens.expect("SOL")
    best = None
    for _ in range(tokens.count()):
        tokens.next()
        point = tokens.sparse(size)
        for side, right, row in rows:
            require(holds(side, dot(row, point), right), "a solution is not feasible")
        value = dot(objective, point)
        best = value if best is None or value < best else best
    if claim == "range":
        require(best is not None and best <= high, "no solution is as good as said")
    tokens.expect("DER")
    for _ in range(tokens.count()):
        tokens.next()
        side, right = sense(tokens.next()), tokens.number()
        if tokens.tokens[tokens.place] == "OBJ":
            tokens.next()
            claimed = dict(objective)
        else:
            claimed = tokens.sparse(size)
        tokens.expect("{", "lin")
        total, bound = {}, Fraction(0)
        for index, factor in tokens.sparse(len(rows)).items():
            own, own_right, row = rows[index]
            require(own == 0 or side == 0 or factor * own * side >= 0, "a multiplier has the wrong sign")
            require(own == 0 or side != 0, "an equation is derived from inequalities")
            bound += factor * own_right
            for key, value in row.items():
                total[key] = total.get(key, Fraction(0)) + factor * value
        tokens.expect("}")
        tokens.next()
        clean = {key: value for key, value in total.items() if value}
        require(clean == {k: v for k, v in claimed.items() if v}, "a derivation has other coefficients")
        require(holds(side, bound, right), "a derivation is weaker than said")
        rows.append((side, right, claimed))
    require(tokens.place == len(tokens.tokens), "something follows")
    side, right, row = rows[-1]
    if claim == "infeas":
        is_false = not holds(side, Fraction(0), right)
        require(best is None and not any(row.values()) and is_false, "the last row is no contradiction")
        return "infeasible"
    is_objective = {k: v for k, v in row.items() if v} == {k: v for k, v in objective.items() if v}
    require(side in {0, 1} and is_objective and right >= low, "the last row does not bound the objective")
    require(low == best, "the optimum is not proved")
    return best
