"""What the float kernel works on: a problem's numbers, a vertex, its slopes, as arrays that are changed in place.

All arrays that the kernel needs stand here, working space too: compiled functions allocate nothing. The names of the
arrays' types tell their number of axes, and with it the type in C that native/translate.py gives them.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

# Float64 arrays of one, two and three axes; integers of one and two
Vector: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]
Cube: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]
Table: TypeAlias = NDArray[np.int64]

# Places in `scalars`: ε ≥ x · y; flips since the gradient was computed; the largest condition met; bounds on the error
# of every component of θ, and of every value: spread · gain · size + share · level + lost; steps since values were
# computed
EPSILON, FLIPS, CONDITION, POINT_ERROR, SPREAD, SHARE, AGE = range(7)
# Signs of slopes and steepest edges that were decided, for the record
SIGNS, STEEPEST_EDGES = 7, 8
LOST = 9
# Places in `group_counts`
IS_MARKED, RESTING = 0, 1
# An edge that moves more units of the trained layer is not asked whether their changes cancel; with so many columns of
# 0 and 1 elimination stays far below 2^63
MOST_MOVED = 6
# In `sides`: every sample of the group so far has a kink of the unit that vanishes
ANY_SIDE = 0.5


class FloatProblem(NamedTuple):
    """Data for the kernel; every number is the nearest float64 of the exact one, so its relative error is at most u.

    Attributes:
        widths: n_ℓ..n_{L+1}; of the trained layer the units that remain.
        inputs: (r, N), the pivot columns of x̃.
        weights: (depths, width, width), `weights[depth, unit, below]`, depth 0 unused, filled up with zeros.
        offsets: (depths, width, N), biases, in the last layer minus the targets.
        slopes: (3, depths, width), of each unit's activation: below 0, above 0, and the difference, 0 where the unit
            has no kink. Those of the last layer are unused.
        loss_slopes: (3, n_{L+1}, N), the same of the loss in each residual.
        sizes: (N,), at least Σ|x̃| of each sample.
        gains: (depths, width), G: a unit's preactivation changes by at most G · size · |Δθ|, whatever is on.
        levels: (depths, width), B: at θ it is at most G · size · |θ| + B.
        rounding: (1,), K: rounding in a scan is at most K times these.
        homogeneous: (n_ℓ,), where nothing is added to a unit of the trained layer, so that its kinks vanish at 0: how
            many kinks it has; 0 for other units.
        grouped: (depths, width), 1 for units of layers between the trained one and the last that are a linear function
            of the inputs on all samples on which the units below have the same slopes.
    """

    widths: Indices
    inputs: Matrix
    weights: Cube
    offsets: Cube
    slopes: Cube
    loss_slopes: Cube
    sizes: Vector
    gains: Matrix
    levels: Matrix
    rounding: Vector
    homogeneous: Indices
    grouped: Table


class FloatVertex(NamedTuple):
    """State of the kernel; arrays are changed in place.

    Attributes:
        masks: (depths, width, N), 1.0 where the pattern is on.
        values: (depths, width, N), of the kinks at the vertex; 0 for those of the basis, ∞ for what is no kink.
        errors: their bounds, where `settle` has computed them.
        rates: (depths, width, N), working space.
        active: (width, N), working space.
        magnitudes: (width, N), working space.
        kinks: (n, 3), depth, sample, unit of the kink in each slot.
        order: slots in order of entry.
        matrix: (n, n), the rows A, each scaled by a power of two, to entries of at most 1 when the kink enters.
        columns: (n, n), the same transposed.
        row_errors: bounds on the sums of the rows' entries' errors, beyond 8 u of each entry, which `slack` covers.
        row_sums: bounds on the sums of the computed entries' sizes.
        scales: the powers of two.
        right: b, so that A θ = b.
        right_errors: their bounds.
        inverse: (n, n), R.
        column_sizes: the largest size of an entry in each column of R.
        row_levels: x, at least the exact rows' sums of sizes.
        column_levels: y.
        column_errors: bounds on the error of each entry of a column of R, where `check_inverse` has computed them.
        defect: (n, n), I - A R as last computed.
        gradient: of the loss.
        gradient_errors: their bounds.
        theta: the point.
        theta_errors: their bounds.
        zero_units: (n_ℓ,), 1 for units whose parameters are 0: their kinks all vanish, and rest while the basis keeps
            its own of them.
        vanishing: (depths, width, N), where `group_counts` says that it is filled in: 1.0 for kinks that vanish since
            their unit is 0 on a group of samples, 2.0 for kinks of the basis, 0.0 for others.
        group_counts: whether that is so, and how many kinks outside the basis vanish in groups.
        deep_own: (depths, width), numbers of kinks in the basis, of units above the trained layer.
        sides: (depths, width), the sides of a group's units; working space.
        taken: (n,), 1 for slots whose kinks are in a group already; working space.
        scalars: numbers, by the places above.
        coefficients: (2, width), how something depends on the units of a layer, and of the layer below.
        coefficient_bounds: their bounds.
        factors: (r or width,), the factors of a sum; working space, as all that follows.
        spreads: the same, of the sum of bounds.
        sums: (4, n), partial sums of a product of matrices.
        direction: (n,), of the edge that is taken.
        products: (n,), of a new row and R.
        residual: (n,).
        terms: (n,), sums of terms' sizes.
        column: (n,), of R.
        order_before: `order` at the vertex before.
        own: (n_ℓ,), numbers of kinks.
    """

    masks: Cube
    values: Cube
    errors: Cube
    rates: Cube
    active: Matrix
    magnitudes: Matrix
    kinks: Table
    order: Indices
    matrix: Matrix
    columns: Matrix
    row_errors: Vector
    row_sums: Vector
    scales: Vector
    right: Vector
    right_errors: Vector
    inverse: Matrix
    column_sizes: Vector
    row_levels: Vector
    column_levels: Vector
    column_errors: Vector
    defect: Matrix
    gradient: Vector
    gradient_errors: Vector
    theta: Vector
    theta_errors: Vector
    zero_units: Indices
    vanishing: Cube
    group_counts: Indices
    deep_own: Table
    sides: Matrix
    taken: Indices
    scalars: Vector
    coefficients: Matrix
    coefficient_bounds: Matrix
    factors: Vector
    spreads: Vector
    sums: Matrix
    direction: Vector
    products: Vector
    residual: Vector
    terms: Vector
    column: Vector
    order_before: Indices
    own: Indices


class Slopes(NamedTuple):
    """Slopes at one vertex; arrays by slot, changed in place.

    An edge is written 2 · slot, and one more for that on the other side of the slot's kink.

    Attributes:
        multipliers: gradient · A⁻¹.
        inside: slopes along the edges in the cell, ± the multipliers.
        bounds: on the errors of both.
        across: slopes along the edges on the other side; where they have been asked for.
        across_bounds: their bounds; -1 where `across` has not been asked for.
        rests: bounds on the components of gradient - multipliers · A, but for the rows' errors.
        row_rest: one entry, what these add to all components together.
        squares: squared lengths of the columns of R.
        length_errors: bounds on the lengths of the columns' errors.
        off_zero: 1 where the slope on the kink's off side is 0 by structure.
        on_zero: the same for the on side.
        edges: room for 2n edges: candidates for the steepest.
        known: one entry, 1 if `off_zero` and `on_zero` have been found.
        given: 2n entries, 1 for edges whose slope has been found to be 0 exactly.
        blocked: 2n entries, 1 for edges that have been found to leave their cell at once.
        lower: (2n,), bounds on the steepness of `edges`; working space, as all that follows.
        upper: the same from above.
        slots: (n,), in address order.
        below: (depths, width), the units one layer below that a unit depends on, as bits.
        passing: (depths, N), the units that have a slope, as bits.
        clear: the same without the units whose kinks are in the basis.
        touched: (n_ℓ, N), whether the loss, and whether the basis, depends on a unit in a sample.
        reaches: (n, n_ℓ), whether the kink in a slot depends on a unit.
        groups: (n,), numbers of rows of one sample; 0 where the row counts for nothing.
        heard: (N,), units of the layer above the trained one on which the loss depends in a sample, as bits.
        resting: (N,), units of the trained layer whose kinks of the sample are in the basis, as bits.
        rows_of: (N,), numbers of rows in each sample that count.
        moved: (MOST_MOVED,), units that an edge moves.
        counts: (2^MOST_MOVED,), numbers of samples by the moved units that take part in them, as bits.
        span: (MOST_MOVED + 1, MOST_MOVED), rows of 0 and 1, in row echelon form but for the last.
    """

    multipliers: Vector
    inside: Vector
    bounds: Vector
    across: Vector
    across_bounds: Vector
    rests: Vector
    row_rest: Vector
    squares: Vector
    length_errors: Vector
    off_zero: Indices
    on_zero: Indices
    edges: Indices
    known: Indices
    given: Indices
    blocked: Indices
    lower: Vector
    upper: Vector
    slots: Indices
    below: Table
    passing: Table
    clear: Table
    touched: Table
    reaches: Table
    groups: Indices
    heard: Indices
    resting: Indices
    rows_of: Indices
    moved: Indices
    counts: Indices
    span: Table


def empty_vertex(problem: FloatProblem) -> FloatVertex:
    """Returns a vertex with room for a problem's."""
    depths, width, samples = problem.offsets.shape
    rank, units = problem.inputs.shape[0], int(problem.widths[0])
    n = units * rank
    cube, square = (depths, width, samples), (n, n)
    return FloatVertex(
        masks=np.zeros(cube),
        values=np.zeros(cube),
        errors=np.zeros(cube),
        rates=np.zeros(cube),
        active=np.zeros((width, samples)),
        magnitudes=np.zeros((width, samples)),
        kinks=np.zeros((n, 3), dtype=np.int64),
        order=np.arange(n, dtype=np.int64),
        matrix=np.zeros(square),
        columns=np.zeros(square),
        row_errors=np.zeros(n),
        row_sums=np.zeros(n),
        scales=np.ones(n),
        right=np.zeros(n),
        right_errors=np.zeros(n),
        inverse=np.zeros(square),
        column_sizes=np.zeros(n),
        row_levels=np.zeros(n),
        column_levels=np.zeros(n),
        column_errors=np.zeros(n),
        defect=np.zeros(square),
        gradient=np.zeros(n),
        gradient_errors=np.zeros(n),
        theta=np.zeros(n),
        theta_errors=np.zeros(n),
        zero_units=np.zeros(units, dtype=np.int64),
        vanishing=np.zeros(cube),
        group_counts=np.zeros(2, dtype=np.int64),
        deep_own=np.zeros((depths, width), dtype=np.int64),
        sides=np.zeros((depths, width)),
        taken=np.zeros(n, dtype=np.int64),
        scalars=np.zeros(10),
        coefficients=np.zeros((2, width)),
        coefficient_bounds=np.zeros((2, width)),
        factors=np.zeros(max(rank, width)),
        spreads=np.zeros(max(rank, width)),
        sums=np.zeros((4, n)),
        direction=np.zeros(n),
        products=np.zeros(n),
        residual=np.zeros(n),
        terms=np.zeros(n),
        column=np.zeros(n),
        order_before=np.zeros(n, dtype=np.int64),
        own=np.zeros(units, dtype=np.int64),
    )


def empty_slopes(problem: FloatProblem) -> Slopes:
    """Returns room for the slopes at a vertex of a problem."""
    depths, width, samples = problem.offsets.shape
    units = int(problem.widths[0])
    n = units * problem.inputs.shape[0]

    def room(*shape: int) -> NDArray[np.int64]:
        return np.zeros(shape, dtype=np.int64)

    return Slopes(
        multipliers=np.zeros(n),
        inside=np.zeros(n),
        bounds=np.zeros(n),
        across=np.zeros(n),
        across_bounds=np.zeros(n),
        rests=np.zeros(n),
        row_rest=np.zeros(1),
        squares=np.zeros(n),
        length_errors=np.zeros(n),
        off_zero=room(n),
        on_zero=room(n),
        edges=room(2 * n),
        known=room(1),
        given=room(2 * n),
        blocked=room(2 * n),
        lower=np.zeros(2 * n),
        upper=np.zeros(2 * n),
        slots=room(n),
        below=room(depths, width),
        passing=room(depths, samples),
        clear=room(depths, samples),
        touched=room(units, samples),
        reaches=room(n, units),
        groups=room(n),
        heard=room(samples),
        resting=room(samples),
        rows_of=room(samples),
        moved=room(MOST_MOVED),
        counts=room(2**MOST_MOVED),
        span=room(MOST_MOVED + 1, MOST_MOVED),
    )
