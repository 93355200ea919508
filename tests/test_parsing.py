"""Numbers and instance files: round trips, and every refusal with its place and its value."""

import gzip
import hashlib
import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import oracle
import pytest
import strategies
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from exactdrl.exact.rationals import InputError, parse_rational, to_float, to_number_text, to_rational, to_text
from exactdrl.problem.file import parse_instance, read_instance, to_json_text, write_instance
from exactdrl.problem.instance import Instance

GRAMMAR = re.compile(
    r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|-?[0-9]+/[0-9]+"
    r"|-?0[xX]([0-9a-fA-F]+(\.[0-9a-fA-F]*)?|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+",
    re.ASCII,
)


def to_mpq(value: Fraction) -> mpq:
    """Returns a rational for exactdrl."""
    return mpq(value.numerator, value.denominator)


fractions = st.one_of(
    st.fractions(max_denominator=1000),
    st.fractions(),
    st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
    st.builds(lambda p, k: Fraction(p, 10**k), st.integers(-(10**18), 10**18), st.integers(0, 20)),
)

# --- numbers ---------------------------------------------------------------------------------------------------------


@strategies.examples(400)
@given(strategies.number_texts())
def test_text_means_what_is_written(pair: tuple[str, Fraction]) -> None:
    """A text of the grammar, built from its parts, is read as the rational of these parts."""
    text, value = pair
    assert GRAMMAR.fullmatch(text)
    assert oracle.to_fraction(parse_rational(text)) == value


@strategies.examples(300)
@given(st.text("0123456789.eEpPxX/+-_ aF\u0661\n", max_size=8))
def test_grammar(text: str) -> None:
    """A short text is read if and only if it is of the grammar and no denominator is 0."""
    ratio = re.fullmatch(r"-?[0-9]+/(0+)", text)
    if GRAMMAR.fullmatch(text) and not ratio and len(text) < 9 and not re.search(r"[eEpP][+-]?[0-9]{5}", text):
        parse_rational(text)
    elif not GRAMMAR.fullmatch(text) or ratio:
        with pytest.raises(InputError):
            parse_rational(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Fraction(1, 10)),
        ("-0.25", Fraction(-1, 4)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("-.5e1", Fraction(-5)),
        ("1e+3", Fraction(1000)),
        ("2E-3", Fraction(1, 500)),
        ("-0", Fraction(0)),
        ("007", Fraction(7)),
        ("010", Fraction(10)),
        ("010/08", Fraction(5, 4)),
        ("-4/6", Fraction(-2, 3)),
        ("0/5", Fraction(0)),
        ("0x1.8p-1", Fraction(3, 4)),
        ("-0X.8P1", Fraction(-1)),
        ("0xA.p0", Fraction(10)),
        ("0x0p99", Fraction(0)),
        ("0x1p-1074", Fraction(1, 2**1074)),
    ],
)
def test_examples_of_numbers(text: str, value: Fraction) -> None:
    """Each kind of number, and its corners."""
    assert oracle.to_fraction(parse_rational(text)) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "NaN", "nan", "inf", "-Infinity", "1_0", "\u0661", "1\u0660", " 1", "1 ", "1\n", "+1", "--1", "-",
     ".", "-.", "e5", "1e", "1e+", "1e1.5", "1e 5", "1,5", "1/0", "-3/000", "1/-2", "1/+2", "1/2/3", "1 /2", "/2",
     "1/", "1.5/2", "0x1", "0x1.8", "0xp1", "0x.p1", "0x1p", "0x1p1.", "0xgp1", "1p3", "0x1/2", "0b1", "1j",
     "1e5_0", "0x1p1_0", "\uff11", "1\x00", "½", "1f", "True", "null"],
)  # fmt: skip
def test_refused_numbers(text: str) -> None:
    """What is not of the grammar is refused, and the message shows it."""
    with pytest.raises(InputError, match=re.escape(repr(text))):
        parse_rational(text)


def test_limits_of_numbers() -> None:
    """Each limit of the format holds on both sides: characters, decimal and binary exponents."""
    assert parse_rational("1" * 100_000) == (mpq(10) ** 100_000 - 1) / 9
    with pytest.raises(InputError, match="100000 characters"):
        parse_rational("1" * 100_001)
    assert parse_rational("1e10000") == mpq(10) ** 10_000
    assert parse_rational("1e-10000") == 1 / mpq(10) ** 10_000
    assert parse_rational("0x1p40000") == mpq(2) ** 40_000
    assert parse_rational("0x1p-40000") == 1 / mpq(2) ** 40_000
    for text in ("1e10001", "1e-10001", "0x1p40001", "0x1p-40001", "0e99999", "1e" + "9" * 5000, "0x1p" + "9" * 5000):
        with pytest.raises(InputError, match="exponent") as error:
            parse_rational(text)
        assert text[:10] in str(error.value)
        assert len(str(error.value)) < 200


@strategies.examples(400)
@given(fractions)
def test_numbers_are_written_and_read(value: Fraction) -> None:
    """Both texts of a rational are of the grammar and mean it; `fractions.Fraction` reads the plain one."""
    rational = to_mpq(value)
    assert Fraction(to_text(rational)) == value
    for text in (to_text(rational), to_number_text(rational)):
        assert GRAMMAR.fullmatch(text)
        assert parse_rational(text) == rational


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 2), "0.5"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 3), "1/3"),
        (Fraction(-7), "-7"),
        (Fraction(0), "0"),
        (Fraction(1, 100), "0.01"),
        (Fraction(0.1), "0x1.999999999999ap-4"),
        (Fraction(-3, 2**70), "-0x1.8p-69"),
        (Fraction(1, 2**1074), "0x0.0000000000001p-1022"),
    ],
)
def test_short_texts(value: Fraction, text: str) -> None:
    """Decimals where they are short, else the hexadecimal float, else p/q."""
    assert to_number_text(to_mpq(value)) == text


@strategies.examples(400)
@given(fractions)
def test_to_float(value: Fraction) -> None:
    """The nearest float64, as Python's own correctly rounded division; no other float is nearer."""
    found = to_float(to_mpq(value))
    try:
        assert found == float(value)
    except OverflowError:
        assert math.isinf(found)
        return
    if math.isfinite(found):
        error = abs(Fraction(found) - value)
        for neighbour in (math.nextafter(found, math.inf), math.nextafter(found, -math.inf)):
            assert math.isinf(neighbour) or error <= abs(Fraction(neighbour) - value)


def test_to_float_at_the_ends_of_the_range() -> None:
    """Ties go to even, overflow to the right infinity, underflow to 0."""
    largest = Fraction(2**53 - 1) * 2**971
    half_step = Fraction(2**970)
    assert to_float(to_mpq(largest)) == float(largest)
    assert to_float(to_mpq(largest + half_step - 1)) == float(largest)
    assert to_float(to_mpq(largest + half_step)) == math.inf
    assert to_float(to_mpq(-largest - half_step)) == -math.inf
    assert to_float(mpq(-(10**400))) == -math.inf
    assert to_float(mpq(1, 2**1075)) == 0.0
    assert to_float(mpq(3, 2**1075)) == 2**-1073
    assert to_float(mpq(1, 10**5000)) == 0.0
    assert to_float(mpq(2**53 + 1)) == 2.0**53
    assert to_float(mpq(2**53 + 3)) == 2.0**53 + 4


@strategies.examples(150)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_binary_floats_are_the_dyadics_that_they_are(value: float) -> None:
    """Floats of every width mean exactly themselves; integers, Fractions and mpq, too."""
    assert oracle.to_fraction(to_rational(value)) == Fraction(value)
    assert oracle.to_fraction(to_rational(np.float64(value))) == Fraction(value)
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    if np.isfinite(narrow):
        assert oracle.to_fraction(to_rational(narrow)) == Fraction(float(narrow))
    assert to_rational(Fraction(value)) == to_rational(value)


def test_other_numbers() -> None:
    """NumPy integers, half and long floats are exact; NaN, infinities, bools and other things are refused with their
    value.
    """
    assert to_rational(np.int64(-7)) == -7
    assert to_rational(np.uint64(2**64 - 1)) == 2**64 - 1
    assert to_rational(np.float16(0.1)) == mpq(819, 8192)
    assert to_rational(np.longdouble(1) / np.longdouble(3)) == mpq(
        *map(int, (np.longdouble(1) / np.longdouble(3)).as_integer_ratio())
    )
    assert to_rational(10**30) == 10**30
    assert to_rational("0.1") == mpq(1, 10)
    for value, shown in [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (np.float32("nan"), "nan"),
        (np.longdouble("inf"), "inf"),
        (True, "True"),
        (np.bool_(True), "True"),
        (None, "None"),
        (1j, "1j"),
        (b"1", "b'1'"),
        ([1], r"\[1\]"),
    ]:
        with pytest.raises(InputError, match=shown):
            to_rational(value)


# --- instance files --------------------------------------------------------------------------------------------------


@strategies.examples(120)
@given(st.one_of(strategies.instances(), strategies.generic_instances()))
def test_instances_are_written_and_read(instance: Instance) -> None:
    """What is written is read as the same instance, and has the digest that was announced."""
    content = to_json_text(instance).encode("ascii")
    again = parse_instance(content)
    assert again == instance
    assert to_json_text(again).encode() == content
    assert instance.digest == hashlib.sha256(content).hexdigest()
    _check_against_fractions(instance, json.loads(content))


def _check_against_fractions(instance: Instance, data: dict) -> None:
    """Checks the file's JSON against the instance, number by number, by Python's own readers."""

    def value(text: str) -> Fraction:
        if "0x" in text:
            mantissa, _, exponent = text.replace("0x", "").partition("p")
            whole, _, part = mantissa.partition(".")
            return Fraction(int(whole + part, 16), 16 ** len(part)) * Fraction(2) ** int(exponent)
        return Fraction(text)

    def values(rows: list) -> list:
        return [values(row) if isinstance(row, list) else value(row) for row in rows]

    assert values(data["data"]["inputs"]) == oracle.to_fractions(instance.inputs)
    assert values(data["data"]["targets"]) == oracle.to_fractions(instance.targets)
    assert values(data["start"]) == oracle.to_fractions(instance.start)
    assert data["layer"] == instance.layer
    for layer, written in zip(instance.layers, data["network"]["layers"], strict=True):
        assert values(written["weight"]) == oracle.to_fractions(layer.weight)
        assert (written["bias"] is None) == (layer.bias is None)
        assert layer.bias is None or values([written["bias"]]) == oracle.to_fractions([layer.bias])


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_files(tmp_path: Path, name: str) -> None:
    """Files, plain and compressed, are read as written, the same bytes each time; the digest is that of the
    uncompressed bytes.
    """
    instance = Instance.create([([["1/3", 0.1]], [2])], [["1", "-2.5"]], [[0]])
    path = tmp_path / name
    write_instance(instance, path)
    content = path.read_bytes()
    again = read_instance(path)
    assert again == instance
    plain = gzip.decompress(content) if name.endswith("gz") else content
    assert again.digest == hashlib.sha256(plain).hexdigest() == instance.digest
    write_instance(again, path, force=True)
    assert path.read_bytes() == content
    assert read_instance(str(path)) == instance


def test_digest_of_a_file_written_otherwise(tmp_path: Path) -> None:
    """The digest is the file's, not that of the text this library would have written; a new start has a digest of its
    own.
    """
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document()))
    instance = read_instance(path)
    assert instance.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    moved = instance.with_start([["1", "1", "1"]])
    assert moved.digest == hashlib.sha256(to_json_text(moved).encode()).hexdigest() != instance.digest


def document() -> dict:
    """Returns the format page's example."""
    return {
        "format": "exactdrl-instance",
        "version": 1,
        "network": {
            "layers": [{"weight": [["1/2", "-0.25"]], "bias": ["0x1.8p-1"]}, {"weight": [["1"]], "bias": None}]
        },
        "layer": 1,
        "loss": {"kind": "absolute"},
        "data": {"inputs": [["1", "0"]], "targets": [["1"]]},
        "start": [["0", "0", "0"]],
    }


def test_example_of_the_format() -> None:
    """The format page's example is read, with numbers as strings or as JSON numbers, `start` given, null or missing."""
    instance = parse_instance(json.dumps(document()).encode())
    assert instance.widths == (2, 1, 1)
    assert instance.start == ((0, 0, 0),)
    assert instance.layers[0].bias == (mpq(3, 4),)
    data = document() | {"start": None}
    data["network"]["layers"][0]["weight"] = [[0.5, -0.25]]
    data["data"]["inputs"] = [[1, 0.0]]
    plain = parse_instance(json.dumps(data).encode())
    assert plain.start == ((mpq(1, 2), mpq(-1, 4), mpq(3, 4)),)
    del data["start"]
    assert parse_instance(json.dumps(data).encode()) == plain
    text = json.dumps(data).replace("0.5", "0.1000000000000000000001")
    assert parse_instance(text.encode()).layers[0].weight[0][0] == mpq(10**21 + 1, 10**22)


def change(path: str, value: object) -> Callable[[dict], None]:
    """Returns what puts a value at a dotted path."""

    def put(data: dict) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        place = data
        for part in parents:
            place = place[part]
        place[last] = value

    return put


def remove(path: str) -> Callable[[dict], None]:
    """Returns what removes a key at a dotted path."""

    def take(data: dict) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        place = data
        for part in parents:
            place = place[part]
        del place[last]

    return take


REFUSED = [
    (change("data.inputs.0.1", "NaN"), ["data.inputs[0][1]", "'NaN'"]),
    (change("data.inputs.0.1", "1_0"), ["data.inputs[0][1]", "'1_0'"]),
    (change("data.inputs.0.1", "\u0661"), ["data.inputs[0][1]", "\u0661"]),
    (change("data.inputs.0.0", " 1"), ["data.inputs[0][0]", "' 1'"]),
    (change("data.targets.0.0", "+1"), ["data.targets[0][0]", "'+1'"]),
    (change("data.targets.0.0", ""), ["data.targets[0][0]", "''"]),
    (change("data.targets.0.0", "1/0"), ["data.targets[0][0]", "'1/0'"]),
    (change("data.targets.0.0", "1e10001"), ["data.targets[0][0]", "'1e10001'"]),
    (change("start.0.2", "0x1p-40001"), ["start[0][2]", "'0x1p-40001'"]),
    (change("data.targets.0.0", None), ["data.targets[0][0]", "None"]),
    (change("data.targets.0.0", True), ["data.targets[0][0]", "True"]),
    (change("data.targets.0.0", ["1"]), ["data.targets[0][0]", "['1']"]),
    (change("data.targets.0.0", {"1": "1"}), ["data.targets[0][0]"]),
    (change("network.layers.0.weight.0.0", "x"), ["network.layers[0].weight[0][0]", "'x'"]),
    (change("network.layers.0.bias.0", "x"), ["network.layers[0].bias[0]", "'x'"]),
    # JSON numbers are numbers of the format, too
    (change("data.inputs.0.1", float("nan")), ["data.inputs[0][1]", "NaN"]),
    (change("data.inputs.0.1", float("inf")), ["data.inputs[0][1]", "Infinity"]),
    (change("data.inputs.0.1", float("-inf")), ["data.inputs[0][1]", "-Infinity"]),
    # ragged, empty, no lists
    (change("data.inputs", [["1", "0"], ["1"]]), ["data.inputs[1]", "1", "2"]),
    (change("data.targets", [["1"], ["1", "2"]]), ["data.targets[1]", "2", "1"]),
    (change("network.layers.0.weight", [["1", "2"], ["1"]]), ["network.layers[0].weight[1]", "1", "2"]),
    (change("start", [["0", "0", "0"], ["0"]]), ["start[1]", "1", "3"]),
    (change("data.inputs", []), ["data.inputs", "empty"]),
    (change("data.targets", []), ["data.targets", "empty"]),
    (change("data.inputs", [[]]), ["data.inputs[0]", "empty"]),
    (change("data.targets", [[]]), ["data.targets[0]", "empty"]),
    (change("network.layers.0.weight", []), ["network.layers[0].weight", "empty"]),
    (change("network.layers.0.weight", [[]]), ["network.layers[0].weight[0]", "empty"]),
    (change("network.layers", []), ["network.layers", "empty"]),
    (change("start", []), ["start", "empty"]),
    (change("data.inputs", "10"), ["data.inputs", "'10'"]),
    (change("data.inputs", ["10"]), ["data.inputs[0]", "'10'"]),
    (change("data.inputs", {"1": 0}), ["data.inputs"]),
    (change("data.inputs", [{"1": 0, "0": 0}]), ["data.inputs[0]"]),
    (change("network.layers.0.bias", {"1": 0}), ["network.layers[0].bias"]),
    (change("network.layers.0.bias", "1"), ["network.layers[0].bias", "'1'"]),
    (change("start", {"000": 0}), ["start"]),
    (change("network.layers", {"0": 0}), ["network.layers"]),
    (change("network.layers.0", []), ["network.layers[0]"]),
    (change("network.layers.0.weight", None), ["network.layers[0].weight"]),
    # shapes
    (change("data.inputs", [["1", "0", "2"]]), ["network.layers[0]", "2", "3"]),
    (change("data.inputs", [["1", "0"], ["2", "0"]]), ["data.targets", "data.inputs", "1", "2"]),
    (change("data.targets", [["1", "2"]]), ["data.targets", "1", "2"]),
    (change("network.layers.0.bias", ["1", "2"]), ["network.layers[0]", "bias", "2", "1"]),
    (change("network.layers.1.bias", []), ["network.layers[1]", "bias"]),
    (change("network.layers.1.weight", [["1", "2"]]), ["network.layers[1]", "2", "1"]),
    (change("start", [["0", "0"]]), ["start", "2", "3"]),
    (change("start", [["0", "0", "0"], ["0", "0", "0"]]), ["start", "2"]),
    # the trained layer
    (change("layer", 0), ["layer", "0", "2"]),
    (change("layer", 3), ["layer", "3", "2"]),
    (change("layer", -1), ["layer", "-1"]),
    (change("layer", "1"), ["layer", "'1'"]),
    (change("layer", 1.5), ["layer", "1.5"]),
    (change("layer", True), ["layer", "True"]),
    (change("layer", None), ["layer", "None"]),
    (change("layer", 10**5000), ["layer"]),
    # keys
    (change("extra", 1), ["'extra'", "unknown"]),
    (change("network.extra", 1), ["network", "'extra'"]),
    (change("network.layers.1.extra", 1), ["network.layers[1]", "'extra'"]),
    (change("loss.extra", 1), ["loss", "'extra'"]),
    (change("data.extra", 1), ["data", "'extra'"]),
    (remove("format"), ["'format'", "missing"]),
    (remove("version"), ["'version'", "missing"]),
    (remove("layer"), ["'layer'", "missing"]),
    (remove("loss"), ["'loss'", "missing"]),
    (remove("data.inputs"), ["data", "'inputs'", "missing"]),
    (remove("network.layers.0.bias"), ["network.layers[0]", "'bias'", "missing"]),
    (remove("network.layers.1.weight"), ["network.layers[1]", "'weight'", "missing"]),
    # names
    (change("format", "exactdrl-certificate"), ["format", "exactdrl-certificate"]),
    (change("format", None), ["format", "None"]),
    (change("version", 3), ["version", "3"]),
    (change("version", "1"), ["version", "'1'"]),
    (change("version", True), ["version", "True"]),
    (change("loss", "absolute"), ["loss"]),
    (change("loss.kind", "squared"), ["loss.kind", "'squared'"]),
    (change("loss.kind", ["absolute"]), ["loss.kind"]),
    (change("data", []), ["data"]),
    (change("network", None), ["network"]),
]


def to_text_of(data: object) -> bytes:
    """Returns JSON of any size of integers."""
    import sys

    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(data, ensure_ascii=False).encode()
    finally:
        sys.set_int_max_str_digits(limit)


@pytest.mark.parametrize(("spoil", "named"), REFUSED, ids=[" ".join(named) for _, named in REFUSED])
def test_refused_instances(spoil: Callable[[dict], None], named: list[str]) -> None:
    """One thing wrong: refused, with a message that names the place and the value."""
    data = document()
    spoil(data)
    with pytest.raises(InputError) as error:
        parse_instance(to_text_of(data))
    for part in named:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("number", "named"), [("1e10001", "1e10001"), ("1e" + "9" * 30, "1e999"), ("1" * 100_001, "1111")]
)
def test_json_numbers_beyond_the_limits(number: str, named: str) -> None:
    """JSON numbers have the limits of the number texts; the message names place and value."""
    text = json.dumps(document()).replace('"inputs": [["1", "0"]]', f'"inputs": [["1", {number}]]')
    with pytest.raises(InputError) as error:
        parse_instance(text.encode())
    assert named in str(error.value)
    assert "data.inputs[0][1]" in str(error.value)


@pytest.mark.parametrize(
    "place", ['"version": 1', '"layer": 1', '"bias": null', '"kind": "absolute"', '"layers": [', '"targets": [["1"]]']
)
def test_repeated_keys(place: str) -> None:
    """A repeated key is refused by its name, at every level, even where both values agree."""
    text = json.dumps(document())
    assert text.count(place) == 1
    key = place.split(":", maxsplit=1)[0]
    repeated = f"{key}: []" if place.endswith("[") else place
    with pytest.raises(InputError, match=f"'{key[1:-1]}' is repeated"):
        parse_instance(text.replace(place, f"{repeated}, {place}").encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"1", b'"exactdrl"', b"{", b"{}", b'{"format": "exactdrl-instance"',
     b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"[" * 200_000,
     b'{"format": 01}', b'{"format": "a" "b"}', b"{} {}", b"{'format': 1}", b'{"a": 1,}'],
)  # fmt: skip
def test_other_files_are_refused(content: bytes) -> None:
    """What is not one JSON object of the format is refused, never a traceback of another kind."""
    with pytest.raises(InputError):
        parse_instance(content)


def test_file_errors_name_the_file(tmp_path: Path) -> None:
    """Missing, truncated, damaged and misnamed files are refused by their name."""
    instance = parse_instance(json.dumps(document()).encode())
    whole = tmp_path / "whole.json.gz"
    write_instance(instance, whole)
    content = whole.read_bytes()
    spoilt = {
        "cut.json.gz": content[:-9],
        "short.json.gz": content[: len(content) // 2],
        "header.json.gz": content[:5],
        "plain.json.gz": gzip.decompress(content),
        "crc.json.gz": content[:-8] + bytes([content[-8] ^ 1]) + content[-7:],
        "damaged.json.gz": content[:30] + bytes(b ^ 0xFF for b in content[30:60]) + content[60:],
        "empty.json.gz": b"",
        "empty.json": b"",
        "packed.json": content,
        "cut.json": gzip.decompress(content)[:-20],
    }
    for name, data in spoilt.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InputError, match=re.escape(str(path))):
            read_instance(path)
    for name in ("missing.json", "missing.json.gz", "."):
        with pytest.raises(InputError, match=re.escape(str(tmp_path))):
            read_instance(tmp_path / name)
    assert read_instance(whole) == instance


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """An output path that exists (unless forced), has no folder, is a folder or has another ending is refused and left
    alone.
    """
    instance = parse_instance(json.dumps(document()).encode())
    path = tmp_path / "a.json"
    path.write_text("precious")
    with pytest.raises(InputError, match=re.escape(str(path))):
        write_instance(instance, path)
    assert path.read_text() == "precious"
    write_instance(instance, path, force=True)
    assert read_instance(path) == instance
    (tmp_path / "folder.json").mkdir()
    for name in ("none/a.json", "folder.json", "a.txt", "a.gz", "a"):
        for force in (False, True):
            with pytest.raises(InputError, match=re.escape(str(tmp_path / name))):
                write_instance(instance, tmp_path / name, force=force)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.json", "folder.json"]


# --- instances made in memory ----------------------------------------------------------------------------------------


def test_arrays() -> None:
    """NumPy arrays are taken as the dyadic numbers that they are; NaN in one is refused with its place."""
    weight, bias = np.array([[0.1, 2.0]]), np.array([0.3], dtype=np.float32)
    instance = Instance.create([(weight, bias)], np.array([[1, 2]]), np.array([[1.5]]))
    assert instance.start == ((to_rational(0.1), 2, to_rational(np.float32(0.3))),)
    inputs = np.array([[0.0, 1.0], [2.0, np.nan]])
    with pytest.raises(InputError, match=r"data\.inputs\[1\]\[1\].*nan"):
        Instance.create([(weight, bias)], inputs, [[1], [2]])
    with pytest.raises(InputError, match=r"network\.layers\[0\]\.weight\[0\]\[0\].*inf"):
        Instance.create([(np.array([[np.inf, 0.0]]), bias)], [[1, 2]], [[1]])


@strategies.examples(80)
@given(st.one_of(strategies.instances(), strategies.generic_instances()), st.data())
def test_instance_loss_and_pushed_inputs(instance: Instance, data: st.DataObject) -> None:
    """An instance's loss and pushed inputs are those of the oracle's forward pass."""
    problem = oracle.Problem(instance)
    assert oracle.to_fractions(instance.pushed_inputs()) == problem.pushed
    theta = data.draw(strategies.matrices(problem.units, problem.m, strategies.rationals()))
    assert oracle.to_fraction(instance.loss_of([[to_mpq(value) for value in row] for row in theta])) == problem.loss(
        theta
    )
