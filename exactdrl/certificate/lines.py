"""The certificate's lines as values, and each as text: `exactdrl-certificate` version 1, proofs/FORMAT.md section 4."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from exactdrl.cells.kinks import Kink, Pattern
from exactdrl.certificate.tree_lines import parse_witness, witness_fields
from exactdrl.exact.rationals import InputError, to_number_text
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided
from exactdrl.problem.instance import to_matrix
from exactdrl.steps.step import Outcome, Step, StepLimit, Unbounded

FORMAT = "exactdrl-certificate"
VERSION = 1
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Header:
    """What a certificate is about.

    Attributes:
        instance: the instance's digest.
        rule: name of the pivot rule that made the walk.
        start_rule: name of the start rule.
    """

    instance: str
    rule: str
    start_rule: str


@dataclass(frozen=True, slots=True)
class VertexLine:
    """The first vertex.

    Attributes:
        pattern: its cell, as `Pattern.to_hex` writes it.
        basis: n kinks in order of entry.
        is_elsewhere: whether it need not lie in the start's cell.
        is_start: whether there is no vertex: then the pattern is a cell of the start, and the outcome is a ray from
            there, or that the loss is constant.
    """

    pattern: tuple[str, ...]
    basis: tuple[Kink, ...]
    is_elsewhere: bool = False
    is_start: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The end line.

    Attributes:
        steps: the number of step lines.
        sha256: of all bytes before it.
    """

    steps: int
    sha256: str


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def header_text(header: Header) -> str:
    """Returns the header line, without its newline."""
    return _dump(
        {
            "format": FORMAT,
            "version": VERSION,
            "instance": header.instance,
            "rule": header.rule,
            "start": header.start_rule,
        }
    )


def vertex_text(pattern: Pattern, basis: Sequence[Kink], *, is_elsewhere: bool = False) -> str:
    """Returns the line of the first vertex."""
    vertex: dict[str, object] = {"pattern": pattern.to_hex(), "basis": basis}
    if is_elsewhere:
        vertex["elsewhere"] = True
    return _dump({"vertex": vertex})


def start_text(pattern: Pattern) -> str:
    """Returns the line that stands in place of the first vertex where the walk has none."""
    return _dump({"start": {"pattern": pattern.to_hex()}})


def step_text(step: Step) -> str:
    """Returns a step's line."""
    line: dict[str, object] = {"flip": step.flips}
    if step.basis is not None:
        line["basis"] = step.basis
    if step.crossed:
        line["cross"] = step.crossed
    line |= {"leave": step.leaving, "enter": step.entering}
    if step.is_published_stop:
        line["published_stop"] = True
    return _dump(line)


def outcome_text(outcome: Outcome) -> str:
    """Returns the line of an outcome."""
    match outcome:
        case StrictLocalMinimum(by, witness):
            fields = {} if witness is None else witness_fields(witness)
            return _dump({"outcome": "strict-local-minimum", "by": by} | fields)
        case LocalMinimum(by, witness):
            fields = {} if witness is None else witness_fields(witness)
            return _dump({"outcome": "local-minimum", "by": by} | fields)
        case Unbounded(direction, flips, basis, leaving):
            line: dict[str, object] = {"outcome": "unbounded", "flip": flips}
            if leaving is None:
                return _dump(line | {"ray": [[to_number_text(entry) for entry in row] for row in direction]})
            if basis is not None:
                line["basis"] = basis
            return _dump(line | {"leave": leaving})
        case Undecided(active):
            return _dump({"outcome": "undecided", "active": active})
        case StepLimit():
            return _dump({"outcome": "step-limit"})


def end_text(end: End) -> str:
    """Returns the end line."""
    return _dump({"end": {"steps": end.steps, "sha256": end.sha256}})


def parse_object(text: bytes, place: str) -> dict[str, object]:
    """Returns the JSON object on a line.

    Raises:
        InputError: it is none; the message names the place.
    """
    try:
        # decimals stay text, to be read exactly
        value = json.loads(text.decode("ascii"), parse_float=str)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, ValueError):
        raise InputError(f"{place}: not a JSON object in ASCII") from None
    if not isinstance(value, dict):
        raise InputError(f"{place}: not a JSON object")
    return value


def parse_header(value: dict[str, object], place: str) -> Header:
    """Returns the header.

    Raises:
        InputError: it is not of the format.
    """
    if value.get("format") != FORMAT or value.get("version") != VERSION:
        raise InputError(f"{place}: not the header of a certificate of version {VERSION}")
    texts = [value.get(key) for key in ("instance", "rule", "start")]
    digest, rule, start = (text if isinstance(text, str) else "" for text in texts)
    if not _DIGEST.fullmatch(digest) or not _NAME.fullmatch(rule) or not _NAME.fullmatch(start):
        raise InputError(f"{place}: instance, rule or start is missing or not of the format")
    return Header(digest, rule, start)


def parse_vertex(value: dict[str, object], place: str) -> VertexLine:
    """Returns the first vertex.

    Raises:
        InputError: it is not of the format.
    """
    start = value.get("start")
    if isinstance(start, dict) and isinstance(start.get("pattern"), list):
        return VertexLine(_parse_pattern(start["pattern"], place), (), is_start=True)
    vertex = value.get("vertex")
    if not isinstance(vertex, dict) or not isinstance(vertex.get("pattern"), list):
        raise InputError(f"{place}: the first vertex is not of the format")
    pattern = _parse_pattern(vertex["pattern"], place)
    return VertexLine(pattern, _parse_kinks(vertex.get("basis"), place), vertex.get("elsewhere") is True)


def _parse_pattern(texts: list[object], place: str) -> tuple[str, ...]:
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{place}: the first vertex's pattern is not of the format")
    return tuple(map(str, texts))


def parse_step(value: dict[str, object], index: int, place: str) -> Step:
    """Returns a step.

    Raises:
        InputError: it is not of the format.
    """
    basis = _parse_kinks(value["basis"], place) if "basis" in value else None
    (leaving, entering) = _parse_kinks([value.get("leave"), value.get("enter")], place)
    crossed = _parse_kinks(value["cross"], place) if "cross" in value else ()
    stop = value.get("published_stop", False)
    return Step(index, _parse_kinks(value.get("flip"), place), basis, leaving, entering, stop is True, crossed)


def _parse_kinks(value: object, place: str) -> tuple[Kink, ...]:
    if not isinstance(value, list):
        raise InputError(f"{place}: a list of kinks is missing")
    kinks = []
    for entry in value:
        if not isinstance(entry, list) or [type(part) for part in entry] != [int, int, int]:
            raise InputError(f"{place}: a kink is not three integers")
        kinks.append(Kink(*entry))
    return tuple(kinks)


def parse_outcome(value: dict[str, object], place: str) -> Outcome:  # noqa: PLR0911 - a case an outcome
    """Returns an outcome.

    Raises:
        InputError: it is not of the format.
    """
    match value:
        case {"outcome": "unbounded"}:
            return _parse_unbounded(value, place)
        case {"outcome": "strict-local-minimum", "by": "likq"}:
            return StrictLocalMinimum()
        case {"outcome": "strict-local-minimum", "by": "tree"}:
            return StrictLocalMinimum("tree", parse_witness(value, place))
        case {"outcome": "local-minimum", "by": ("likq" | "zero-loss" | "bound") as by}:
            return LocalMinimum(by)
        case {"outcome": "local-minimum", "by": "tree"}:
            return LocalMinimum("tree", parse_witness(value, place))
        case {"outcome": "undecided", "active": int(active)}:
            return Undecided(active)
        case {"outcome": "step-limit"}:
            return StepLimit()
    raise InputError(f"{place}: the outcome is not of the format")


def _parse_unbounded(value: dict[str, object], place: str) -> Unbounded:
    """Returns the outcome `unbounded`; an edge's direction follows from its vertex, which a line does not know."""
    if "ray" in value:
        return Unbounded(to_matrix(value["ray"], f"{place}: ray"))
    basis = _parse_kinks(value["basis"], place) if "basis" in value else None
    return Unbounded((), _parse_kinks(value.get("flip"), place), basis, *_parse_kinks([value.get("leave")], place))


def parse_end(value: dict[str, object], place: str) -> End:
    """Returns the end line.

    Raises:
        InputError: it is not of the format.
    """
    match value:
        case {"end": {"steps": int(steps), "sha256": str(digest)}}:
            return End(steps, digest)
    raise InputError(f"{place}: the end line is not of the format")
