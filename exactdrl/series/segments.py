"""A run cut into segments, which several processes replay; losses are computed without scans of all kinks.

Pattern and basis after any step follow from the certificate's lines without arithmetic, so that a segment can begin
anywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gmpy2 import divexact, mpq, mpz

from exactdrl.arithmetic.exact import ExactArithmetic
from exactdrl.cells.affine import AffineForm, gradient_jump
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.cells.scan import is_in_cell, scaled_loss
from exactdrl.certificate.reader import Certificate
from exactdrl.certificate.replay import advance, first_cell, follow
from exactdrl.exact.basis import dot
from exactdrl.exact.rationals import InputError
from exactdrl.walks.driver import Step


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a run: where it begins, and its steps.

    Attributes:
        before: the number of steps before the segment.
        pattern: the pattern of the vertex before the first step, as `Pattern.to_hex` writes it.
        basis: the basis of that vertex.
        steps: the segment's steps.
    """

    before: int
    pattern: tuple[str, ...]
    basis: tuple[Kink, ...]
    steps: tuple[Step, ...]


def segments(problem: IntegerProblem, certificate: Certificate, length: int) -> list[Segment]:
    """Returns a run cut into segments of `length` steps, without computing any vertex. The last segment may be shorter.

    A run without steps is one segment without steps.

    Raises:
        InputError: a line of the certificate does not fit this problem.
    """
    pattern, basis = first_cell(problem, certificate)
    found = []
    for before in range(0, max(len(certificate.steps), 1), length):
        steps = certificate.steps[before : before + length]
        found.append(Segment(before, tuple(pattern.to_hex()), tuple(basis), steps))
        for step in steps:
            follow(pattern, basis, step)
    return found


class CellLoss(ExactArithmetic):
    """A vertex with the affine function of its cell's loss, by which a loss costs n products instead of a scan.

    The scaled loss in the cell is gradient · θ + constant. A flip adds a multiple of the flipped kink's affine function
    (`gradient_jump`). A pivot stays in the cell.
    """

    __slots__ = ("_constant",)

    def _set_cell(self, pattern: Pattern, basis: list[Kink], forms: list[AffineForm]) -> None:
        super()._set_cell(pattern, basis, forms)
        self.check_cell()
        point, den = self.point()
        here = scaled_loss(self._problem, self.values(), den)
        self._constant: mpz = divexact(here - dot(self._gradient, point), den)

    def check_cell(self) -> None:
        """Refuses a vertex outside its cell, where the cell's affine function is not the loss. A scan decides.

        Raises:
            InputError: the vertex lies outside; no accepted walk has such a vertex.
        """
        if not is_in_cell(self.pattern, self.values()):
            raise InputError("the run leaves its cells; `exactdrl verify` checks the certificate")

    def flip(self, kink: Kink) -> None:
        """Goes over to the cell on the other side of a basis kink; the vertex stays."""
        own = self._forms[self._slot_of[kink]]
        self._constant += gradient_jump(self._problem, self.pattern, kink) * own.offset
        super().flip(kink)

    def point(self) -> tuple[list[mpz], mpz]:
        """Returns the reduced parameters as n integers over a positive denominator, perhaps not in lowest terms."""
        return self._point()

    def loss(self) -> mpq:
        """Returns the loss at the vertex."""
        point, den = self.point()
        return mpq(dot(self._gradient, point) + self._constant * den, self._problem.loss_scale * den)


def replay_segment(problem: IntegerProblem, segment: Segment) -> Iterator[CellLoss]:
    """Yields the vertices of a segment, before its first step and after each step.

    The same object is yielded each time, and moved on in between. At the end its loss is compared with a scan of all
    kinks.

    Raises:
        InputError: a line of the certificate does not fit this problem, a basis is dependent, or the first or last
            vertex lies outside its cell.
    """
    vertex = CellLoss(problem, problem.pattern_from_hex(segment.pattern), segment.basis)
    yield vertex
    for step in segment.steps:
        advance(vertex, step)
        yield vertex
    vertex.check_cell()
    if vertex.loss() != ExactArithmetic.loss(vertex):
        raise AssertionError(
            f"segment after step {segment.before}: the loss in the cell is not the loss: this is a bug"
        )
