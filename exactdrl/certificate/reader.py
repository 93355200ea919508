"""Reading certificates: whole ones, and the beginnings that interrupted walks leave.

Reading trusts the lines to be true: whether they are is the checker's question (proofs/check.py).
"""

import hashlib
import zlib
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
from exactdrl.problem.file import MAX_BYTES, read_bytes
from exactdrl.problem.instance import Instance
from exactdrl.walks.driver import Outcome, Step


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate's content.

    Attributes:
        header: what it is about.
        first: the first vertex.
        steps: in order.
        outcome: None where the file breaks off before it.
        is_whole: whether the end line is there.
        beginning: the bytes of all lines up to the last step's, uncompressed: what a resumed walk goes on from.
    """

    header: Header
    first: VertexLine
    steps: tuple[Step, ...]
    outcome: Outcome | None
    is_whole: bool
    beginning: bytes


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


def read_beginning(path: Path, instance: Instance) -> Certificate | None:
    """Returns what an interrupted walk left: whole lines only; None if not even the first vertex is there.

    Raises:
        InputError: it cannot be read, is not of the format, or is for another instance.
    """
    content = _read_damaged(path)
    content = content[: content.rfind(b"\n") + 1]
    if content.count(b"\n") < 2:  # noqa: PLR2004 - header and first vertex
        return None
    certificate = _parse(path, content)
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


def _read_damaged(path: Path) -> bytes:
    """Returns the bytes of a file; of a compressed one those of its whole members."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if path.suffix != ".gz":
        return data
    content = b""
    while data and len(content) <= MAX_BYTES:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(data, MAX_BYTES)
        except zlib.error:
            break
        if not member.eof:
            break
        content += part
        data = member.unused_data
    return content


def _parse(path: Path, content: bytes) -> Certificate:
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
    for line in lines[2:]:
        place = f"{path}, line {number + 1}"
        value = parse_object(line, place)
        if "flip" not in value or "outcome" in value:
            break
        steps.append(parse_step(value, len(steps) + 1, place))
        position += len(line) + 1
        number += 1
    beginning, rest = content[:position], lines[number:]
    outcome = (
        parse_outcome(parse_object(rest[0], f"{path}, line {number + 1}"), f"{path}, line {number + 1}")
        if rest
        else None
    )
    if len(rest) > 1:
        place = f"{path}, line {number + 2}"
        end = parse_end(parse_object(rest[1], place), place)
        before = content[: position + len(rest[0]) + 1]
        if end.steps != len(steps) or end.sha256 != hashlib.sha256(before).hexdigest() or len(rest) > 2:  # noqa: PLR2004
            raise InputError(
                f"{place}: count or hash of the end line is not that of the lines before it, or lines follow it"
            )
    return Certificate(header, first, tuple(steps), outcome, len(rest) > 1, beginning)
