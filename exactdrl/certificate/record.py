"""Runs a walk and writes its certificate as it goes, or continues a walk that was interrupted."""

from collections.abc import Callable
from pathlib import Path

from exactdrl.certificate.lines import Header, header_text, start_text, vertex_text
from exactdrl.certificate.reader import Certificate, parse_beginning
from exactdrl.certificate.replay import final_vertex
from exactdrl.certificate.stream import CertificateFile
from exactdrl.exact.rationals import InputError
from exactdrl.problem.output import STREAM, new_file
from exactdrl.steps.first_vertex import FirstVertex, StartEnd
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
    and from what a killed walk, a full disk or a power failure left, and ends in the same bytes as an uninterrupted
    walk.

    Args:
        walk: one that has not been started.
        path: `*.drl`, or compressed `*.drl.gz`; a link is followed. `-` is standard output, which gets the certificate
            when the walk has ended.
        force: write over an existing file.
        resume: go on with the walk that the file holds, if it exists.
        on_step: called with the latest step, after each step or some of them.

    Raises:
        InputError: standard output is to be resumed, the path exists and neither `force` nor `resume` is set, another
            process is writing it, it cannot be written, or what it holds is not the beginning of this walk.
        MachineError: the disk is full, the file was taken away, or the machine failed otherwise.
    """
    path = Path(path)
    if path == STREAM:
        if resume:
            raise InputError("-: only a file can be resumed")
        with new_file(path, force=force) as output:
            record = output.with_suffix(".drl")
            outcome = record_walk(walk, record, on_step=on_step)
            record.rename(output)
        return outcome
    header = Header(walk.problem.instance.digest, walk.rule, walk.start_rule)
    with CertificateFile(path, force=force, resume=resume) as file:
        certificate = parse_beginning(path, file.content(), walk.problem.instance) if resume else None
        if certificate is not None:
            _check_header(path, certificate, header)
            if certificate.is_whole and certificate.outcome is not None and certificate.outcome != StepLimit():
                walk.steps, walk.outcome = len(certificate.steps), certificate.outcome
                return certificate.outcome
            _go_on(walk, certificate)
            beginning = certificate.beginning
        else:
            beginning = f"{header_text(header)}\n{_first_text(walk.first_vertex)}\n".encode("ascii")
        file.begin(beginning)
        try:
            _write_steps(walk, file, on_step)
            outcome = walk.outcome or StepLimit()
        except KeyboardInterrupt:
            outcome = walk.outcome_at_start or StepLimit()
        steps = file.finish(outcome)
        if steps != walk.steps and not isinstance(outcome, StepLimit):
            raise AssertionError("a certificate without all its steps: this is a bug")
        walk.outcome = outcome
        return outcome


def _write_steps(walk: Walk, file: CertificateFile, on_step: Callable[[Step], None] | None) -> None:
    while steps := walk.advance(_STEPS_AT_ONCE):
        file.append(steps)
        if on_step is not None:
            on_step(steps[-1])


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


def _first_text(first: FirstVertex | StartEnd) -> str:
    if isinstance(first, StartEnd):
        return start_text(first.pattern)
    return vertex_text(first.pattern, first.basis, is_elsewhere=first.is_elsewhere)


def _go_on(walk: Walk, certificate: Certificate) -> None:
    """Puts a walk at the last vertex of a recorded one; where that has none, the ray is found anew."""
    if not certificate.first.is_start:
        stops = [step.index for step in certificate.steps if step.is_published_stop]
        walk.resume(*final_vertex(walk.problem, certificate), len(certificate.steps), stops)
