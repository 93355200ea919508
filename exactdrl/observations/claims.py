"""The claims about a finished walk, as values and as a file of the format `exactdrl-claims`, version 1.

Source: proofs/CLAIMS.md.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gmpy2 import mpq

from exactdrl.exact.enclosed import EnclosedNumber
from exactdrl.exact.rationals import InputError, to_number_text
from exactdrl.observations.brackets import Bracket
from exactdrl.observations.density import LineDensity, TrajectoryDensity
from exactdrl.observations.lengths import exponent_of
from exactdrl.problem.instance import Matrix
from exactdrl.problem.output import STREAM, write_new

FORMAT = "exactdrl-claims"
VERSION = 1
MAX_BYTES = 1 << 24
MAX_CLAIMS = 1000


@dataclass(frozen=True, slots=True)
class LossClaim:
    """The loss after a step lies between two numbers."""

    step: int
    low: mpq
    high: mpq


@dataclass(frozen=True, slots=True)
class EstimateClaim:
    """Aitken's estimates at all steps begin..end have relative errors between two numbers."""

    fraction: mpq
    begin: int
    end: int
    low: mpq
    high: mpq


@dataclass(frozen=True, slots=True)
class LineClaim:
    """The counts of breakpoints on a line.

    Attributes:
        step: the step whose vertex is added to the line's offset; None for no vertex.
        density: the line, the radii and the counts.
    """

    step: int | None
    density: LineDensity


Claim: TypeAlias = LossClaim | Bracket | EstimateClaim | TrajectoryDensity | LineClaim


def enclose_number(number: EnclosedNumber, digits: int) -> tuple[mpq, mpq]:
    """Returns `enclose_decimal` of a number that is known by a ball."""
    low, high = number.ends
    # if two numbers are no such decimals and have the same neighbours, so have all numbers between them
    if low != high and low * high > 0:
        found = enclose_decimal(low, digits)
        if found == enclose_decimal(high, digits):
            return found
    return enclose_decimal(number.exact, digits)


def enclose_decimal(value: mpq, digits: int) -> tuple[mpq, mpq]:
    """Returns the nearest decimals with so many digits below and above a rational, which may both be the rational."""
    if not value:
        return value, value
    unit = mpq(10) ** (exponent_of(abs(value)) - digits + 1)
    scaled = value / unit
    floor = scaled.numerator // scaled.denominator
    return floor * unit, (floor if floor == scaled else floor + 1) * unit


def to_fields(claim: Claim) -> dict[str, object]:
    """Returns a claim as the file has it."""
    text = to_number_text
    match claim:
        case LossClaim(step, low, high):
            return {"claim": "loss", "step": step, "low": text(low), "high": text(high)}
        case Bracket():
            fields: dict[str, object] = {"claim": "decay", "quantity": claim.quantity}
            fields |= {"from": claim.begin, "to": claim.end, "rate": text(claim.rate)}
            fields |= {"low": text(claim.low), "high": text(claim.high)}
            return fields if claim.window is None else fields | {"window": claim.window, "bits": claim.bits}
        case EstimateClaim(fraction, begin, end, low, high):
            fields = {"claim": "estimate", "method": "aitken", "fraction": text(fraction)}
            return fields | {"from": begin, "to": end, "low": text(low), "high": text(high)}
        case TrajectoryDensity(radii, counts):
            squares = [text(radius * radius) for radius in radii]
            return {"claim": "trajectory-density", "squared_radii": squares, "counts": list(counts)}
        case LineClaim(step, density):
            fields = {"claim": "line-density", "step": step, "offset": _texts(density.line.offset)}
            fields |= {"direction": _texts(density.line.direction)}
            return fields | {"bounds": [text(radius) for radius in density.radii], "counts": list(density.counts)}


def _texts(matrix: Matrix) -> list[list[str]]:
    return [[to_number_text(value) for value in row] for row in matrix]


def to_claims_text(instance: str, run: str, claims: Sequence[Claim]) -> str:
    """Returns the file's text in ASCII, with a line for each claim, ended by a newline.

    Args:
        instance: the instance's digest.
        run: SHA-256 of the certificate's bytes, decompressed.
        claims: the claims, from one to `MAX_CLAIMS`.

    Raises:
        InputError: there are no claims or too many, or the text is too long.
    """
    if not claims:
        raise InputError("a claims file needs at least one claim")
    if len(claims) > MAX_CLAIMS:
        raise InputError(
            f"there are {len(claims)} claims, and a claims file holds at most {MAX_CLAIMS}; take fewer --lines (lines)"
        )
    lines = ",\n".join(json.dumps(to_fields(claim), separators=(",", ":")) for claim in claims)
    head = f'{{"format":"{FORMAT}","version":{VERSION},\n"instance":"{instance}",\n"run":"{run}",\n"claims":[\n'
    content = f"{head}{lines}\n]}}\n"
    if len(content) > MAX_BYTES:
        raise InputError(f"the claims have over {MAX_BYTES} characters; take fewer --lines (lines)")
    return content


def refuse_claims_name(path: Path) -> None:
    """Refuses a path whose ending is not a claims file's, and which is not `-`, standard output.

    Raises:
        InputError: the path ends neither in .claims nor in .claims.gz.
    """
    if path != STREAM and not path.name.endswith((".claims", ".claims.gz")):
        raise InputError(f"{path}: a claims file's name ends in .claims or .claims.gz")


def write_claims(path: Path, instance: str, run: str, claims: Sequence[Claim], *, force: bool = False) -> None:
    """Writes a claims file; the same claims give the same bytes.

    Raises:
        InputError: see `to_claims_text`; or the path has another ending, the file exists and `force` is not set, or it
            cannot be written.
    """
    refuse_claims_name(path)
    content = to_claims_text(instance, run, claims).encode("ascii")
    write_new(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content, force=force)
