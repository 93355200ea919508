"""Reads certificates: whole ones, and the beginnings that interrupted walks leave.

It does not check whether the lines are true, which is the checker's work (proofs/check.py).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from exactdrl.certificate.lines import (
    Header,
    VertexLine,
    parse_end,
    parse_header,
    parse_object,
    parse_outcome,
    parse_step,
    parse_vertex,
)
from exactdrl.exact.rationals import InputError
from exactdrl.problem.facts import Facts
from exactdrl.problem.file import read_bytes
from exactdrl.problem.file_kinds import kind_name
from exactdrl.problem.instance import Instance
from exactdrl.walks.driver import Outcome, Step


@dataclass(frozen=True, slots=True)
class Certificate(Facts):
    """A certificate's content.

    Attributes:
        header: what it is about.
        first: the first vertex.
        steps: in order.
        outcome: None where the file breaks off before it.
        is_whole: whether the end line is there.
        beginning: the bytes of all lines up to the last step's, uncompressed, from which a resumed walk goes on.
        digest: SHA-256 of all bytes, uncompressed.
    """

    header: Header
    first: VertexLine
    steps: tuple[Step, ...]
    outcome: Outcome | None
    is_whole: bool
    beginning: bytes
    digest: str

    def _title(self) -> str:
        return "exactdrl certificate of a walk"

    def _facts(self) -> list[tuple[str, str]]:
        outcome = "none: it breaks off" if self.outcome is None else type(self.outcome).__name__
        return [("rule", self.header.rule), ("steps", str(len(self.steps))), ("outcome", outcome)]


def read_certificate(path: Path | str, instance: Instance) -> Certificate:
    """Returns a whole certificate for an instance.

    Raises:
        InputError: it cannot be read, is not of the format, breaks off, or is for another instance.
    """
    path = Path(path)
    certificate = _parse(path, read_bytes(path))
    if not certificate.is_whole:
        raise InputError(
            f"{path}: breaks off after step {len(certificate.steps)}; `exactdrl walk --resume` completes it"
        )
    check_instance(path, certificate, instance)
    return certificate


def parse_beginning(path: Path, content: bytes, instance: Instance) -> Certificate | None:
    """Returns what an interrupted walk left; None if not even header and first vertex are there.

    Lines behind the first one that is not of the format, as a power failure may leave them, are left out.

    Args:
        path: how messages name the file.
        content: whole lines.
        instance: the problem.

    Raises:
        InputError: header or first vertex are not of the format, or for another instance.
    """
    if content.count(b"\n") < 2:  # noqa: PLR2004 - header and first vertex
        return None
    certificate = _parse(path, content, is_damaged=True)
    check_instance(path, certificate, instance)
    return certificate


def check_instance(path: Path, certificate: Certificate, instance: Instance) -> None:
    """Refuses a certificate for another instance.

    Raises:
        InputError: the digests differ.
    """
    if certificate.header.instance != instance.digest:
        raise InputError(
            f"{path}: is for the instance with SHA-256 {certificate.header.instance[:16]}..., "
            f"this one has {instance.digest[:16]}..."
        )


def _parse(path: Path, content: bytes, *, is_damaged: bool = False) -> Certificate:
    """Returns the certificate in some lines; of a damaged file that of the lines before the first false one."""
    kind = kind_name(content)
    if kind and "certificate" not in kind:
        raise InputError(f"{path}: no certificate of a run, but {kind}")
    lines = content.split(b"\n")
    if lines.pop():
        raise InputError(f"{path}: the last line has no newline")
    if len(lines) < 2:  # noqa: PLR2004 - header and first vertex
        raise InputError(f"{path}: has no header and first vertex")
    header = parse_header(parse_object(lines[0], f"{path}, line 1"), f"{path}, line 1")
    first = parse_vertex(parse_object(lines[1], f"{path}, line 2"), f"{path}, line 2")
    steps: list[Step] = []
    position = len(lines[0]) + len(lines[1]) + 2
    number = 2
    try:
        for line in lines[2:]:
            place = f"{path}, line {number + 1}"
            value = parse_object(line, place)
            if "flip" not in value or "outcome" in value:
                break
            steps.append(parse_step(value, len(steps) + 1, place))
            position += len(line) + 1
            number += 1
        outcome, is_whole = _parse_end(path, content, lines, number, position)
    except InputError:
        if not is_damaged:
            raise
        outcome, is_whole = None, False
    return Certificate(
        header, first, tuple(steps), outcome, is_whole, content[:position], hashlib.sha256(content).hexdigest()
    )


def _parse_end(
    path: Path, content: bytes, lines: list[bytes], number: int, position: int
) -> tuple[Outcome | None, bool]:
    """Returns the outcome behind the steps, None where it is missing, and whether the end line is there.

    Args:
        path: how messages name the file.
        content: the file's.
        lines: the same, cut into lines.
        number: of the outcome's line, from 0: the lines before are header, first vertex and steps.
        position: where it begins.
    """
    rest = lines[number:]
    if not rest:
        return None, False
    place = f"{path}, line {number + 1}"
    outcome = parse_outcome(parse_object(rest[0], place), place)
    if len(rest) == 1:
        return outcome, False
    place = f"{path}, line {number + 2}"
    end = parse_end(parse_object(rest[1], place), place)
    digest = hashlib.sha256(content[: position + len(rest[0]) + 1]).hexdigest()
    steps = number - 2
    if end.steps != steps or end.sha256 != digest or len(rest) > 2:  # noqa: PLR2004 - outcome and end
        raise InputError(
            f"{place}: count or hash of the end line is not that of the lines before it, or lines follow it"
        )
    return outcome, True
