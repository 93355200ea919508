"""Reading files: bytes, JSON in ASCII, numbers, shapes; and the verdicts, with the only two ways to refuse.

Section numbers in this folder are those of FORMAT.md.
"""

from __future__ import annotations

import errno
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache, partial
from itertools import islice
from typing import Any

# Bounds on decompressed bytes: a small file cannot fill the memory. The largest problems in view stay under a tenth.
INSTANCE_CAP, CERTIFICATE_CAP, LINE_CAP, CLAIMS_CAP = 2**28, 2**32, 2**26, 2**24
NUMBER_CAP, DECIMAL_CAP, BINARY_CAP, EXPONENT_CAP = 100_000, 10_000, 40_000, 2**21
MACHINE = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # no fault of the file
RATIO = re.compile(r"(-?[0-9]+)/(0*[1-9][0-9]*)")
DECIMAL = re.compile(r"(-?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
HEXADECIMAL = re.compile(r"(-?)0[xX](?=\.?[0-9a-fA-F])([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?[0-9]+)")
POWER = lru_cache(64)(pow)  # 1e9999 is short, and may be in a file a million times

Line = dict[str, Any]  # a JSON object


class Rejected(Exception):
    """A claim of well-formed files is false (section 6)."""


class Malformed(Exception):
    """A file is not of the form, or the certificate is for another instance (section 6)."""


class Failed(Exception):
    """Nothing is known: the machine or the checker gave up (section 6)."""


def require(condition: bool, reason: str, verdict: type[Exception] = Rejected) -> None:
    """Rejects the certificate unless the condition, which it claims, holds; the only way to reject."""
    if not condition:
        raise verdict(reason)


demand = partial(require, verdict=Malformed)  # calls the files malformed unless the condition holds; the only way


def read_lines(path: str, cap: int) -> Iterator[bytes]:
    """Yields a file's lines, decompressed if its name ends in .gz (sections 2, 4); lines over LINE_CAP in pieces."""
    size = 0
    try:
        with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as stream:
            while line := stream.readline(LINE_CAP):
                size += len(line)
                demand(size <= cap, f"a file has over {cap} bytes")
                yield line
    except (OSError, EOFError, ValueError, zlib.error) as error:
        verdict = Failed if getattr(error, "errno", None) in MACHINE else Malformed
        require(False, f"a file cannot be read ({type(error).__name__}): {path}", verdict)


def read_format(path: str) -> str:
    """Returns the format that a file names if its first key is `format`, and stands in its first lines; else ""."""
    start = b"".join(islice(read_lines(path, CERTIFICATE_CAP), 4))
    match = re.match(rb'\s*\{\s*"format"\s*:\s*"([a-z-]*)"', start)
    return match[1].decode() if match else ""


def check_exponents(data: bytes, place: str) -> None:
    """Checks that what takes little room as text, as 1e9999 does, takes not much more as numbers (section 1)."""
    exponents = re.findall(rb"[eEpP][+-]?0*([0-9]{1,6})(?=[\",\]}\s])", data)
    demand(sum(map(int, exponents)) <= EXPONENT_CAP + 128 * len(data), f"{place}: its exponents add up to too much")


def rational(value: Any, place: str) -> Fraction:
    """Returns a number (section 1) that stands in JSON, or is one already."""
    if type(value) in {int, Fraction}:
        return Fraction(value)
    demand(type(value) in {str, bytes}, f"{place}: not a number")
    text = value if isinstance(value, str) else value.decode()
    demand(len(text) <= NUMBER_CAP, f"{place}: a number has over {NUMBER_CAP} characters")
    if match := RATIO.fullmatch(text):
        return Fraction(int(match[1]), int(match[2]))
    base, root, places, cap, match = 10, 10, 1, DECIMAL_CAP, DECIMAL.fullmatch(text)
    if match is None:
        base, root, places, cap, match = 16, 2, 4, BINARY_CAP, HEXADECIMAL.fullmatch(text)
    sign, whole, behind, power = match.groups("") if match else ("", "", "", "")
    demand(match is not None, f"{place}: a number is neither decimal, ratio nor hexadecimal float")
    exponent = int(power or "0")
    demand(abs(exponent) <= cap, f"{place}: a number's exponent is over {cap}")
    exponent -= places * len(behind)
    return Fraction(int(sign + whole + behind, base) * POWER(root, max(exponent, 0)), POWER(root, max(-exponent, 0)))


def numeral(value: Any, place: str) -> Any:
    """Returns what stands for a number in JSON as it is, which is short, for `rational` later on."""
    rational(value, place)
    return value


def parse_json(data: bytes, place: str) -> Any:
    """Returns a JSON value: objects as pairs, and numbers with point or exponent as bytes, since 1e9999 is short."""
    hooks: Line = {"parse_float": str.encode, "parse_constant": partial(rational, place=place)}  # no NaN, no Infinity
    hooks["parse_int"] = lambda text: int(text) if len(text) < 20 else rational(text, place).numerator
    try:
        return json.loads(data.decode("ascii"), object_pairs_hook=tuple, **hooks)
    except (ValueError, RecursionError) as error:
        demand(False, f"{place}: not JSON in ASCII ({type(error).__name__})")


def parse(value: Any, shape: Any, place: str) -> Any:
    """Returns what a JSON value of a shape stands for. Places name keys, and count the entries of lists from 1."""
    # A shape is a dict for an object with these keys (one with "?" may be missing, one with "~" null), a tuple of dicts
    # for one of these, a list [shape, lengths] for a list, a range for an integer in it, a pattern for a string, a set
    # of truth values, or a function that takes value and place.
    if callable(shape):
        return shape(value, place)
    if isinstance(shape, dict | tuple):
        demand(isinstance(value, tuple), f"{place}: not an object")
        found = dict(value)
        demand(len(found) == len(value), f"{place}: a key occurs twice in one object")
        for part in shape if isinstance(shape, tuple) else (shape,):
            names = {key.rstrip("?~"): key for key in part}
            if found.keys() <= names.keys() and all(name in found or "?" in key for name, key in names.items()):
                places = [(name, f"{place}: {name}", found[name], key) for name, key in names.items() if name in found]
                return {n: None if x is None and "~" in key else parse(x, part[key], p) for n, p, x, key in places}
        demand(False, f"{place}: its keys are not those of the format")
    if isinstance(shape, list):
        demand(isinstance(value, list), f"{place}: not a list")
        demand(len(value) in shape[1], f"{place}: {len(value)} entries")
        return [parse(entry, shape[0], f"{place} {number}") for number, entry in enumerate(value, 1)]
    if isinstance(shape, range):
        demand(type(value) is int, f"{place}: not an integer")  # JSON's true is an int in Python
        demand(shape.start <= value < shape.stop, f"{place}: out of range")
    elif isinstance(shape, str):
        demand(isinstance(value, str) and re.fullmatch(shape, value) is not None, f"{place}: does not match {shape}")
    else:
        demand(type(value) is bool and value in shape, f"{place}: not {' or '.join(map(json.dumps, sorted(shape)))}")
    return value


def read_claimed(
    path: str, instance: str, header: Line, shapes: tuple[Line, ...], hashed: Any, *, form: str = ""
) -> Iterator[tuple[str, Line]]:
    """Yields place and content of the lines between a file's header and its end; then all of its form is checked.

    The file is about the instance of a digest. All its bytes are hashed; if it was read before, `form` is what was
    found then. A walk's second line has a pattern, whose digits are no numbers, and its end counts steps alone.
    """
    count, unit, ended = 0, "steps" if "rule" in header else "lines", False
    shapes = (*shapes, {"end": {unit: ANY, "sha256": HASH}})
    for number, line in enumerate(read_lines(path, CERTIFICATE_CAP), 1):
        place = f"line {number}"
        demand(not ended, f"{place}: something follows the end line")
        demand(line.endswith(b"\n"), f"{place}: breaks off, or is longer than {LINE_CAP} bytes")
        check_exponents(line if number != 2 or unit == "lines" else b"", place)
        content = parse(parse_json(line, place), shapes if number > 1 else header, place)
        if number == 1:
            demand(content["instance"] == instance, f"{place}: the file is about another instance")
        elif "end" in content:
            ended, claimed = True, content["end"]
            demand(claimed[unit] == count, f"{place}: there are {count} {unit}")
            demand(claimed["sha256"] == hashed.hexdigest(), f"{place}: the hash is not that of the lines before")
            demand(number > 2, f"{place}: the file claims nothing")
        else:
            count += unit == "lines" or "enter" in content
            yield place, content
        hashed.update(line)
    demand(ended, "the file breaks off before its end line")
    demand(form in {"", hashed.hexdigest()}, "the file changed while it was checked")


ANY, SOME, ONCE = range(10**NUMBER_CAP), range(1, 10**NUMBER_CAP), range(1, 2)  # no integer in a file is larger
HASH, NAME = "[0-9a-f]{64}", "[a-z][a-z0-9-]{0,63}"
