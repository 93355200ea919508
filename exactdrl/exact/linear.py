"""Linear algebra over Q on integer rows, by FLINT: pivot columns, independent rows, solves, projections."""

from collections.abc import Sequence
from typing import TypeAlias

from flint import fmpq, fmpq_mat, fmpz, fmpz_mat, nmod_mat
from gmpy2 import divexact, gcd, lcm, mpq, mpz

Row: TypeAlias = Sequence[mpz]

# Rows that are independent modulo it are independent. FLINT aborts on a modulus that is not prime: this is 2^61 - 1
PRIME = 2**61 - 1
# entries of a matrix beyond which its rank profile is looked for modulo the prime first
_MANY_ENTRIES = 10_000
# a right side of a linear system costs up to so many times what one more row costs an elimination
_DEARER = 8


def to_fmpz(value: mpz) -> fmpz:
    """Returns the same integer for FLINT (its own comparison with gmpy2's integers is silently False)."""
    return fmpz(int(value))


def to_mpz(value: fmpz) -> mpz:
    """Returns the same integer for gmpy2."""
    return mpz(int(value))


def to_matrix(rows: Sequence[Row], width: int) -> fmpz_mat:
    """Returns the (len(rows), width) integer matrix with these rows."""
    return fmpz_mat(len(rows), width, [int(entry) for row in rows for entry in row])


def to_fmpq(value: mpq) -> fmpq:
    """Returns the same rational for FLINT."""
    return fmpq(int(value.numerator), int(value.denominator))


def dot(left: Row, right: Row) -> mpz:
    """Returns the inner product of two equally long integer rows."""
    return sum((a * b for a, b in zip(left, right, strict=True)), mpz(0))


def primitive(entries: Row) -> tuple[mpz, ...]:
    """Returns integers, not all 0, divided by their greatest common divisor."""
    content = gcd(*entries)
    return tuple(entries) if content == 1 else tuple(divexact(entry, content) for entry in entries)


def common_denominator(values: Sequence[mpq]) -> mpz:
    """Returns the least common multiple of the denominators, 1 for no values."""
    return lcm(*[value.denominator for value in values]) if values else mpz(1)


def to_integers(values: Sequence[mpq]) -> tuple[list[mpz], mpz]:
    """Returns integers and the positive denominator by which they are the given rationals."""
    denominator = common_denominator(values)
    return [value.numerator * (denominator // value.denominator) for value in values], denominator


def pivot_columns(rows: Sequence[Row], width: int) -> tuple[int, ...]:
    """Returns, from left to right, each column that is no linear combination of the columns before it. Exact."""
    if not rows or not width:
        return ()
    # mostly all columns are, and a few rows show it; that spares the elimination on all
    if len(rows) > 2 * width and to_matrix(rows[: 2 * width], width).rank() == width:
        return tuple(range(width))
    matrix, _, rank = to_matrix(rows, width).rref()
    return _leading(matrix, rank)


def independent_rows(rows: Sequence[Row], width: int) -> tuple[int, ...]:
    """Returns, from first to last, the index of each row that is no linear combination of the rows before it. Exact."""
    if not rows or not width:
        return ()
    found = _independent_by_prime(to_matrix(rows, width)) if len(rows) * width > _MANY_ENTRIES else None
    if found is not None:
        return found
    return pivot_columns([list(column) for column in zip(*rows, strict=True)], len(rows))


def independent_modulo_prime(residues: Sequence[Sequence[int]], width: int) -> tuple[int, ...]:
    """Returns, from first to last, the rows that are no combination modulo the prime of the rows before them.

    The integer rows with these residues are independent. There may be more of them.
    """
    flat = [entry for row in residues for entry in row]
    return _pivots(nmod_mat(len(residues), width, flat, PRIME).transpose()) if flat else ()


def _independent_by_prime(matrix: fmpz_mat) -> tuple[int, ...] | None:
    """Returns the independent rows as they are modulo a prime, if they are the true ones and that is cheap to prove.

    Rows that are independent modulo a prime are independent; the others must be combinations of those before them.
    """
    chosen = _pivots(nmod_mat(matrix.transpose(), PRIME))
    others = sorted(set(range(matrix.nrows())) - set(chosen))
    if not chosen or (others and not _are_combinations(matrix, chosen, others)):
        return None
    return chosen


def _are_combinations(matrix: fmpz_mat, chosen: Sequence[int], others: Sequence[int]) -> bool:
    """Returns whether some rows are combinations of those of the chosen rows that come before them.

    It uses the chosen rows' inverse on as many columns. A row's coefficients at later chosen rows must be 0, and its
    other entries must be those of the combination. The answer is False, too, where this costs as much as an
    elimination.
    """
    basis = _part(matrix, chosen, range(matrix.ncols()))
    columns = _pivots(nmod_mat(basis, PRIME))
    rest = sorted(set(range(matrix.ncols())) - set(columns))
    later = [place for place, row in enumerate(chosen) if row > others[0]]
    if _DEARER * (len(later) + len(rest)) >= len(others):
        return False
    if not later and not rest:
        return True
    right = [
        [fmpz(place == row) for place in later] + [basis[row, column] for column in rest] for row in range(len(chosen))
    ]
    solved, denominator = solve_regular(_part(basis, range(len(chosen)), columns), fmpz_mat(right))
    made = _part(matrix, others, columns) * solved
    return all(
        all(made[index, k] == 0 for k, place in enumerate(later) if chosen[place] > row)
        and all(made[index, k] == denominator * matrix[row, column] for k, column in enumerate(rest, start=len(later)))
        for index, row in enumerate(others)
    )


def _part(matrix: fmpz_mat, rows: Sequence[int], columns: Sequence[int]) -> fmpz_mat:
    return fmpz_mat(len(rows), len(columns), [matrix[row, column] for row in rows for column in columns])


def _pivots(matrix: nmod_mat) -> tuple[int, ...]:
    """Returns the pivot columns modulo a prime."""
    return _leading(*matrix.rref())


def _leading(reduced: fmpz_mat | nmod_mat, rank: int) -> tuple[int, ...]:
    """Returns the column of each row's first entry that is not 0, for a matrix in row echelon form."""
    pivots: list[int] = []
    for row in range(rank):
        column = pivots[-1] + 1 if pivots else 0
        while int(reduced[row, column]) == 0:
            column += 1
        pivots.append(column)
    return tuple(pivots)


def combine_columns(rows: Sequence[Row], pivots: Sequence[int], width: int) -> list[list[mpq]]:
    """Returns M with column_f = Σ_p M[p][f] column_p for every column f that is no pivot column.

    Args:
        rows: (k, width) integers.
        pivots: the pivot columns of `rows`.
        width: the number of columns.

    Returns:
        (len(pivots), width - len(pivots)) rationals, the other columns from left to right.
    """
    others = [column for column in range(width) if column not in set(pivots)]
    if not others:
        return [[] for _ in pivots]
    matrix, denominator, _ = to_matrix(rows, width).rref()
    return [[mpq(int(matrix[p, f]), int(denominator)) for f in others] for p in range(len(pivots))]


def solve_regular(matrix: fmpz_mat, right: fmpz_mat) -> tuple[fmpz_mat, fmpz]:
    """Returns numerators and the positive denominator of a regular system's solution. Exact.

    Raises:
        ZeroDivisionError: it is not regular.
    """
    if not matrix.nrows():
        return right, fmpz(1)
    numerators, denominator = fmpq_mat(matrix).solve(fmpq_mat(right)).numer_denom()
    return numerators, denominator


def solve_overdetermined(matrix: fmpz_mat, right: fmpz_mat) -> tuple[fmpz_mat, fmpz] | None:
    """Returns numerators and the positive denominator of the solution of more equations than unknowns. Exact.

    None if there is no solution, or if it is not found, because columns depend on each other modulo a prime.

    Args:
        matrix: (n, k), of rank k.
        right: (n, 1).
    """
    chosen = _pivots(nmod_mat(matrix.transpose(), PRIME))
    if len(chosen) < matrix.ncols():
        return None
    solved, denominator = solve_regular(_part(matrix, chosen, range(matrix.ncols())), _part(right, chosen, (0,)))
    return (solved, denominator) if matrix * solved == right * denominator else None


def solve_combination(rows: Sequence[Row], target: Sequence[mpq]) -> list[mpq] | None:
    """Returns λ with Σ λ_j row_j = target for linearly independent rows, None if there is none. Exact."""
    if not rows:
        return [] if not any(target) else None
    width = len(rows[0])
    columns = pivot_columns(rows, width)
    integers, scale = to_integers(target)
    square = fmpz_mat(len(rows), len(rows), [int(row[column]) for column in columns for row in rows])
    right = fmpz_mat(len(rows), 1, [int(integers[column]) for column in columns])
    solution = fmpq_mat(square).solve(fmpq_mat(right))
    multipliers = [mpq(int(entry.p), int(entry.q)) for entry in solution.entries()]
    sums = (sum((m * row[c] for m, row in zip(multipliers, rows, strict=True)), mpq(0)) for c in range(width))
    if any(value != integer for value, integer in zip(sums, integers, strict=True)):
        return None
    return [multiplier / scale for multiplier in multipliers]


def solve_columns(square: Sequence[Row], rights: Sequence[Sequence[mpq]]) -> list[list[mpq]]:
    """Returns, for each right side, the x with square · x = right. Exact.

    Raises:
        ZeroDivisionError: the square matrix is not regular.
    """
    scaled = [to_integers(right) for right in rights]
    columns = fmpz_mat([[int(integers[i]) for integers, _ in scaled] for i in range(len(square))])
    solved = fmpq_mat(to_matrix(square, len(square))).solve(fmpq_mat(columns))
    return [[to_mpq(solved[i, c]) / scale for i in range(len(square))] for c, (_, scale) in enumerate(scaled)]


def solve_rows(rows: Sequence[Row], right: Sequence[mpq]) -> list[mpq]:
    """Returns a d with row_j · d = right_j for linearly independent rows, 0 outside the rows' pivot columns. Exact."""
    if not rows:
        return []
    width = len(rows[0])
    columns = pivot_columns(rows, width)
    square = fmpz_mat(len(rows), len(rows), [int(row[column]) for row in rows for column in columns])
    integers, scale = to_integers(right)
    solution = fmpq_mat(square).solve(fmpq_mat(fmpz_mat(len(rows), 1, [int(entry) for entry in integers])))
    direction = [mpq(0)] * width
    for column, entry in zip(columns, solution.entries(), strict=True):
        direction[column] = mpq(int(entry.p), int(entry.q)) / scale
    return direction


def project_out(rows: Sequence[Row], vector: Sequence[mpz]) -> list[mpz]:
    """Returns a positive integer multiple of the part of `vector` orthogonal to linearly independent rows. Exact.

    The part is v - Aᵀ(AAᵀ)⁻¹Av; the multiple has no common factor.
    """
    width = len(vector)
    part = fmpz_mat(width, 1, [int(entry) for entry in vector])
    if rows:
        a = to_matrix(rows, width)
        transposed = a.transpose()
        gram = fmpq_mat(a * transposed).solve(fmpq_mat(a * part))
        numerators, denominator = gram.numer_denom()
        part = part * denominator - transposed * numerators
    entries = part.entries()
    content = fmpz(0)
    for entry in entries:
        content = content.gcd(entry)
    return [to_mpz(entry // content) if content != 0 else mpz(0) for entry in entries]


def to_mpq(value: fmpq) -> mpq:
    """Returns the same rational for gmpy2."""
    return mpq(int(value.p), int(value.q))
