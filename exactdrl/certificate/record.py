"""Running a walk and writing its certificate as it goes; going on with a walk that was interrupted."""

from collections.abc import Callable
from pathlib import Path

from exactdrl.certificate.lines import (
    End,
    Header,
    end_text,
    header_text,
    outcome_text,
    start_text,
    step_text,
    vertex_text,
)
from exactdrl.certificate.reader import Certificate, read_beginning
from exactdrl.certificate.replay import final_vertex
from exactdrl.certificate.stream import LineWriter
from exactdrl.exact.rationals import InputError
from exactdrl.problem.file import refuse_existing
from exactdrl.steps.first_vertex import FirstVertex, StartRay
from exactdrl.walks.driver import Outcome, Step, StepLimit, Walk

# Steps between two writes; a kill loses no more than these
_STEPS_AT_ONCE = 64


def record_walk(
    walk: Walk,
    path: Path | str,
    *,
    force: bool = False,
    resume: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> Outcome:
    """Runs a walk to its end, writes its certificate line by line, and returns the outcome.

    An interrupt (KeyboardInterrupt) ends the certificate with the outcome `step-limit`; `resume` goes on from there,
    and from what a killed walk left, and ends in the same bytes as an uninterrupted walk.

    Args:
        walk: one that has not been started.
        path: `*.drl`, or compressed `*.drl.gz`.
        force: write over an existing file.
        resume: go on with the walk that the file holds, if it exists.
        on_step: called with the latest step, after each step or some of them.

    Raises:
        InputError: the path exists and neither `force` nor `resume` is set, it cannot be written, or what it holds is
        not
            the beginning of this walk.
    """
    path = Path(path)
    if not path.name.endswith((".drl", ".drl.gz")):
        raise InputError(f"{path}: a certificate's name ends in .drl or .drl.gz")
    refuse_existing(path, force=force or resume)
    header = Header(walk.problem.instance.digest, walk.rule, walk.start_rule)
    beginning = b""
    if resume and path.exists():
        certificate = read_beginning(path, walk.problem.instance)
        if certificate is not None:
            _check_header(path, certificate, header)
            if certificate.is_whole and certificate.outcome is not None and certificate.outcome != StepLimit():
                walk.steps, walk.outcome = len(certificate.steps), certificate.outcome
                return certificate.outcome
            _go_on(walk, certificate)
            beginning = certificate.beginning
    if not beginning:
        beginning = f"{header_text(header)}\n{_first_text(walk.first_vertex)}\n".encode("ascii")
    writer = LineWriter(path, beginning)
    written = walk.steps
    try:
        try:
            while steps := walk.advance(_STEPS_AT_ONCE):
                for step in steps:
                    writer.write(step_text(step))
                    written = step.index
                if on_step is not None:
                    on_step(steps[-1])
        except KeyboardInterrupt:
            walk.outcome = StepLimit()
        outcome = walk.outcome or StepLimit()
        writer.write(outcome_text(outcome))
        writer.write(end_text(End(written, writer.digest.hexdigest())))
    finally:
        writer.close()
    return outcome


def _check_header(path: Path, certificate: Certificate, header: Header) -> None:
    """Refuses to resume with another rule.

    Raises:
        InputError: pivot rule or start rule differ.
    """
    found = certificate.header
    if (found.rule, found.start_rule) != (header.rule, header.start_rule):
        raise InputError(
            f"{path}: was walked with rule {found.rule} and start rule {found.start_rule}, "
            f"not {header.rule} and {header.start_rule}"
        )


def _first_text(first: FirstVertex | StartRay) -> str:
    if isinstance(first, StartRay):
        return start_text(first.pattern)
    return vertex_text(first.pattern, first.basis, is_elsewhere=first.is_elsewhere)


def _go_on(walk: Walk, certificate: Certificate) -> None:
    """Puts a walk at the last vertex of a recorded one; where that has none, the ray is found anew."""
    if not certificate.first.is_start:
        stops = [step.index for step in certificate.steps if step.is_published_stop]
        walk.resume(*final_vertex(walk.problem, certificate), len(certificate.steps), stops)
