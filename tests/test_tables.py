"""Tables as people have them: what each rule decides, that it is said, and what is refused with what to type.

Expected numbers are written by hand or made by Fraction; Python's csv module and pandas write the files.
"""

import codecs
import csv
import gzip
import importlib.util
import io
import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from exactdrl_cli.main import main
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from exactdrl.doors.numerals import Numerals, find_numerals
from exactdrl.doors.sheet_text import decode_text, find_delimiter, parse_sheet
from exactdrl.doors.tables import read_table
from exactdrl.exact.rationals import InputError
from exactdrl.problem.doubles import DoubleMatrix

TABLE = "a,b,c\n0.1,1/3,-2e-1\n4,.5,0x1p-2\n"
STACKLOSS = "14518/345"


@pytest.fixture
def read(tmp_path):
    """Writes a text or bytes and reads them as a table."""

    def call(content, targets=None, *, name="data.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, targets, **options)

    return call


def refusal(function, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def rows(matrix):
    return [list(row) for row in matrix]


def package_file(package: str, *parts: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


# Columns


def test_decimals_mean_what_is_written(read):
    """0.1 is 1/10; columns come by name or number from 1, in the order asked for; names are kept."""
    table = read(TABLE, "b")
    assert table.inputs == ((mpq(1, 10), mpq(-1, 5)), (4, mpq(1, 4)))
    assert table.targets == ((mpq(1, 3),), (mpq(1, 2),))
    assert (table.input_names, table.target_names, table.rows, table.notes) == (("a", "c"), ("b",), (2, 3), ())
    for inputs, targets in (([3, 1], [2]), (["c", "a"], ["b"]), (["3", "a"], ["2"]), ("c,a", "b"), ("c, 1", 2)):
        chosen = read(TABLE, targets, inputs=inputs)
        assert chosen.inputs == tuple((c, a) for a, c in table.inputs)
        assert chosen.targets == table.targets
    assert read(TABLE, "a", exclude="c").input_names == ("b",)


def test_the_last_column_is_the_target_and_that_is_said(read):
    """Left out, the target is the last column that is not taken otherwise."""
    table = read(TABLE)
    assert (table.input_names, table.target_names) == (("a", "b"), ("c",))
    assert table.notes == ("the last column is the target: column 3 ('c'); --target chooses another one",)
    weighted = read("x,y,w\n1,2,3\n4,5,0\n", weights="w")
    assert (weighted.target_names, weighted.weights) == (("y",), (3, 0))
    assert "row 3, column 3 ('w'): a weight is -1, below 0" in refusal(read, "x,y,w\n1,2,3\n4,5,-1\n", weights="w")


def test_names_with_commas(read):
    """A name that holds a comma is chosen as a whole."""
    text = '"height, cm",weight\n1,2\n'
    assert read(text, "height, cm").target_names == ("height, cm",)
    assert read(text, "weight", inputs="height, cm").input_names == ("height, cm",)
    text = '"height, cm",age,weight\n1,2,2\n'
    assert read(text, "weight", inputs=["height, cm", "age"]).input_names == ("height, cm", "age")
    message = refusal(read, text, "weight", inputs='"height, cm",age')
    assert (
        "no column is named '\"height'; the names are height, cm, age, weight; a name with a comma is given alone"
        in message
    )
    assert "given alone" not in refusal(read, text, "heigt")
    assert "given alone" not in refusal(read, "a,b\n1,2\n", "b", inputs="c,d")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": "d"}, "no column is named 'd'; the names are a, b, c"),
        ({"targets": 4}, "there is no column 4; the columns are 1 to 3"),
        ({"targets": "0"}, "there is no column 0; the columns are 1 to 3"),
        ({"targets": [True]}, "no column is named True"),
        ({"targets": ["b", 2]}, "column 2 ('b') is chosen twice"),
        ({"targets": "b", "inputs": "a,b"}, "column 2 ('b') is chosen twice"),
        ({"targets": "b", "weights": "b"}, "column 2 ('b') is chosen twice"),
        ({"targets": "b", "inputs": "a", "exclude": "a"}, "column 1 ('a') is chosen twice"),
        ({"targets": []}, "no column is left for the targets"),
        ({"targets": "a,b,c"}, "no column is left for the inputs"),
        ({"inputs": "a,b,c"}, "no column is left for the targets"),
    ],
)
def test_choices_are_refused(read, options, message):
    """Unknown columns, and columns chosen twice or not at all."""
    assert message in refusal(read, TABLE, **options)


def test_a_name_of_digits_is_no_other_number(read):
    """A text that is one column's name and another one's number is refused."""
    assert "column '1' may be column 1 or, by its name, column 2" in refusal(read, "2,1\n1,2\n", "1", has_header=True)


# Texts as people write them


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        TABLE.rstrip(),
        TABLE + "\n\n  \n",
        TABLE + "\x1a",
        "\n" + TABLE,
        TABLE.replace(",", ", "),
        TABLE.replace(",", " , "),
        TABLE.replace("a", '"a"').replace("4,", '"4",'),
        TABLE.replace(",", ', "', 1).replace(",c", '",c', 1),
        TABLE.replace("4", "+4").replace("0.1", " +0.1"),
        TABLE.replace("\n", ",\n"),
        TABLE.replace("\n4", ",\n4") + ",,\n",
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace(",", "|"),
        TABLE.replace(",", "  "),
        " " + TABLE.replace(",", " ").replace("\n", " \n"),
        "sep=;\n" + TABLE.replace(",", ";"),
        "# made by a program\n% and another\n" + TABLE + "# end\n",
        "# a, b, c\n" + TABLE.partition("\n")[2],
    ],
)
def test_forms_that_are_read(read, text):
    """Line ends, blanks, quotes, plus signs, trailing commas, other signs between cells, comments: the same table."""
    plain, table = read(TABLE, "b"), read(text, "b")
    assert (table.inputs, table.targets) == (plain.inputs, plain.targets)
    assert (table.input_names, table.target_names) == (plain.input_names, plain.target_names)


def test_compressed_texts_are_read(read):
    """The name's ending says so."""
    assert read(gzip.compress(TABLE.encode()), "b", name="data.csv.gz").inputs == read(TABLE, "b").inputs
    assert "not a whole gzip file" in refusal(read, gzip.compress(TABLE.encode())[:-9], name="data.csv.gz")


@pytest.mark.parametrize("sign", [";", "\t", "|", " "])
def test_decimal_commas_are_found_and_said(read, sign):
    """`1,75;70,5` is 1.75 and 70.5; the note shows the cell."""
    table = read(f"x{sign}y\n1,75{sign}70,5\n2{sign}-3,25e1\n")
    assert (table.inputs, table.targets) == (((mpq(7, 4),), (2,)), ((mpq(141, 2),), (mpq(-65, 2),)))
    assert any("the comma is the decimal sign, as in 1,75" in note for note in table.notes)


def test_quoted_decimal_commas_are_found(read):
    """The sign between cells may be the comma too, where the cells are quoted."""
    assert read('x,y\n"1,75","70,5"\n').inputs == ((mpq(7, 4),),)


def test_a_table_without_header_may_have_decimal_commas(read):
    """The rule needs no names."""
    table = read("1,75;70,5\n1,5;60\n")
    assert (table.inputs, table.input_names, table.target_names) == (
        ((mpq(7, 4),), (mpq(3, 2),)),
        ("column_1",),
        ("column_2",),
    )


def test_grouped_thousands_are_never_guessed(read):
    """`1,234` has two meanings: it is refused, and either is typed."""
    text = 'x,y\n"1,234",2\n"12,500",3\n'
    message = refusal(read, text)
    assert "row 2, column 1 ('x'): not a number: '1,234'" in message
    assert "--thousands ," in message
    assert "--decimal ," in message
    assert read(text, thousands=",").inputs == ((1234,), (12500,))
    assert read(text, decimal=",").inputs == ((mpq(617, 500),), (mpq(25, 2),))
    swiss = read("x;y\n1'234.5;2\n", thousands="'")
    assert swiss.inputs == ((mpq(2469, 2),),)
    assert read("x;y\n1.234,5;2\n", decimal=",", thousands=".").inputs == ((mpq(2469, 2),),)
    assert read("x;y\n1.234,5;2\n", thousands=".").inputs == ((mpq(2469, 2),),)
    assert read("x;y\n1\u202f234,5;2\n", decimal=",", thousands="space").inputs == ((mpq(2469, 2),),)
    for cell in ("12,34", "1,23,456", "01,234", "1,2345", "1234,567"):
        assert "grouped by ','" in refusal(Numerals(thousands=",").parse, cell)


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("1,234.5", "--thousands ,"),
        ("1.234,5", "--decimal , --thousands ."),
        ("1.234.500", "--decimal , --thousands ."),
        ("1 234", "--thousands"),
        ("12'345", "--thousands"),
        ("\u22124", "U+2212"),
        ("4%", "without the percent sign"),
        ("$4", "without the currency's sign"),
        ("4 €", "without the currency's sign"),
        ("1d3", "write the exponent with e"),
        ("4 # about", "a comment needs a line of its own"),
    ],
)
def test_numbers_in_other_signs_say_what_to_type(read, cell, hint):
    """The message names the cell and the option."""
    message = refusal(read, f"x;y\n{cell};2\n3.5;4\n")
    assert "row 2, column 1 ('x'): not a number: " in message
    assert hint in message


def test_points_that_may_group_thousands_are_said(read):
    """Between semicolons `1.250` may be 1250: it is 5/4, and that is said, unless a point cannot group thousands."""
    note = "the point is the decimal sign, as in 1.250; if it groups thousands, type --decimal , --thousands ."
    table = read("a;y\n1.250;2\n-12.300;3\n7;5\n")
    assert note in table.notes
    assert rows(table.inputs) == [[mpq(5, 4)], [mpq(-123, 10)], [7]]
    typed = read("a;y\n1.250;2\n-12.300;3\n", decimal=",", thousands=".")
    assert rows(typed.inputs) == [[1250], [-12300]]
    silent = ("a;y\n1.250;2.5\n", "a;y\n0.250;2\n2.300;3\n", "a,y\n1.250,2\n", "a;y\n1;2\n", "a;y\n1.2500;2\n3.250;2\n")
    for text in silent:
        assert not any("groups" in said for said in read(text).notes), text
    assert not any("groups" in said for said in read("a;y\n1.250;2\n", decimal=".").notes)


def test_points_beside_decimal_commas_are_refused(read):
    """A table with both kinds of numbers has no decimal comma by the rule, and the comma is refused."""
    assert find_numerals(["1,5", "1.5"]) == (Numerals(), None)
    assert "not a number: '1,5'" in refusal(read, "x;y\n1,5;2\n1.5;4\n")
    assert "numbers have a decimal comma here" in refusal(read, "x;y\n1,5;2\n1.5;4\n", decimal=",")


@given(st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(1, 5)), min_size=1, max_size=6))
def test_every_decimal_is_read_back_in_every_sign(cases):
    """Numbers written by Python with points, commas and groups are the decimals that they were."""
    for digits, places in cases:
        value = Decimal(digits).scaleb(-places)
        point, grouped = f"{value:.{places}f}", f"{value:,.{places}f}"
        expected = mpq(Fraction(value))
        assert Numerals().parse(point) == expected
        assert Numerals(",").parse(point.replace(".", ",")) == expected
        assert Numerals(".", ",").parse(grouped) == expected
        german = grouped.replace(",", "_").replace(".", ",").replace("_", ".")
        assert Numerals(",", ".").parse(german) == expected


@given(st.from_regex(r"\A-?[0-9]{1,31}(\.[0-9]{0,31})?\Z"))
def test_the_short_way_for_plain_cells_says_the_same(cell):
    """Where it reads a cell it reads the decimal that Fraction reads; in other signs it reads none."""
    found = Numerals().parse_plain(cell)
    assert found is None or found == mpq(Fraction(cell)) == Numerals().parse(cell)
    assert (found is None) == (
        len(cell.lstrip("-").partition(".")[0]) > 30 or cell.endswith(".") or len(cell.partition(".")[2]) > 30
    )
    assert Numerals(",").parse_plain(cell) is None is Numerals(thousands=",").parse_plain(cell)


@given(st.integers(0, 2**32), st.sampled_from([",", ";", "\t", "|"]), st.integers(2, 4), st.integers(1, 5))
def test_the_sign_between_cells_is_found(seed, sign, width, count):
    """What Python's csv writer wrote, with names and without, is read back."""
    generator = random.Random(seed)
    cells = [[f"{generator.uniform(-9, 9):.3f}" for _ in range(width)] for _ in range(count)]
    for header in ([], [[f"name {index}" for index in range(width)]]):
        stream = io.StringIO()
        csv.writer(stream, delimiter=sign).writerows(header + cells)
        text = stream.getvalue()
        assert find_delimiter(text.splitlines(keepends=True)) == sign
        sheet = parse_sheet(text, "x")
        assert rows(sheet.numbers(range(width))) == [[mpq(cell) for cell in row] for row in cells]
        assert (sheet.names is None) == (not header)


# Encodings


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("Höhe,y\n1,2\n".encode(), None),
        (codecs.BOM_UTF8 + "Höhe,y\n1,2\n".encode(), None),
        ("Höhe,y\n1,2\n".encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + "Höhe,y\n1,2\n".encode("utf-16-be"), "UTF-16"),
        ("Höhe,y\n1,2\n".encode("utf-32"), "UTF-32"),
        ("Höhe,y\n1,2\n".encode("latin-1"), "byte 1 is not UTF-8; the text is read as cp1252"),
    ],
)
def test_encodings_are_found_and_said(read, content, note):
    """Byte order marks decide; what is not UTF-8 is read as Windows-1252, aloud."""
    table = read(content, "y")
    assert (table.input_names, table.inputs) == (("Höhe",), ((1,),))
    assert table.notes == () if note is None else any(note in said for said in table.notes)


def test_encodings_without_a_mark_are_typed(read):
    """UTF-16 without its mark is refused with what to type, which then reads it."""
    content = "Höhe,y\n1,2\n".encode("utf-16-le")
    assert "type --encoding utf-16-le" in refusal(read, content)
    assert read(content, encoding="utf-16-le").input_names == ("Höhe",)
    assert "no encoding is named 'klingon'" in refusal(read, content, encoding="klingon")
    assert "cannot be decoded as ascii" in refusal(read, "Höhe,y\n1,2\n", encoding="ascii")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "a zip archive"),
        (b"PAR1rest", "a Parquet file"),
        (b"\x93NUMPY\x01\x00", "a NumPy array"),
        (b"\x80\x04\x95", "a pickle"),
        (b"\x1f\x8b\x08\x00", "a gzip file"),
        (b"\x08\x07\x12\x07pytorch", "no table in text"),
        (b"\xff\x01\x02\x03", "control characters"),
        (b"a,b\n1,\x002\n", "no table in text"),
    ],
)
def test_other_kinds_of_files_are_named(read, content, words):
    """A file given to the wrong option is refused, not read as rows of odd text."""
    assert words in refusal(read, content)


# Headers


def test_headers_are_seen(read):
    """Words are names, whatever characters they begin with; an option overrules."""
    assert read("2nd,%\n3,4\n").target_names == ("%",)
    bare = read("1.5,2\n3,4\n", 2)
    assert (bare.inputs, bare.input_names, bare.rows) == (((mpq(3, 2),), (3,)), ("column_1",), (1, 2))
    assert read("1.5,2\n3,4\n", 2, has_header=True).input_names == ("1.5",)
    assert "column 1 holds no numbers" in refusal(read, "a,b\nc,d\n", 2, has_header=False)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("2019,2020\n3,4\n", ("2019", "2020")),
        ("0,1,2\n3,4,5\n", ("0", "1", "2")),
        ("0,1\n3,4.5\n", ("0", "1")),
        (",0,1\n0,3,4\n1,5,6\n", ("0", "1")),
    ],
)
def test_rows_of_numbers_that_are_names(read, text, names):
    """Years, and pandas' numbers of columns, are names by the rule; the note says how to overrule it."""
    table = read(text)
    assert table.input_names + table.target_names == names
    assert any("is taken as the names of the columns; --no-header" in note for note in table.notes)
    if not text.startswith(","):
        assert len(read(text, has_header=False).inputs) == len(table.inputs) + 1


def test_years_among_names_are_names(read):
    """The World Bank's tables have words and years in one row; one year, or a number that is none, is not enough."""
    table = read("Country,Code,1960,1961\nAruba,7,2.5,3\nPeru,8,1,4\n", "1961", exclude="Country")
    assert table.input_names == ("Code", "1960")
    assert any("row 1 is taken as names, with years 1960 to 1961" in note for note in table.notes)
    for first in ("Country,Code,1960,1970", "Country,2019,7,x", "Country,Code,x,1961", "Country,Code,12,13"):
        assert "--header or --no-header" in refusal(read, f"{first}\nAruba,7,2.5,3\n", 2)


def test_names_in_single_quotes(read):
    """statsmodels' own files have them; one name without quotes keeps all as they are."""
    assert read("'a' 'b c'\n1 2\n3 4\n".replace("'b c'", "'bc'"), "bc").input_names == ("a",)
    assert read("'a','b'\n1,2\n", "b").notes == ("the names stand in single quotes, which are left out",)
    assert read("'a',b\n1,2\n", "b").input_names == ("'a'",)


@pytest.mark.parametrize(
    ("text", "is_said"),
    [
        ("0,1\n1,0\n", True),
        ("1,2\n3,4\n", True),
        ("2019,2020\n2021,2022\n", True),
        ("7,3\n3,4\n", False),
        ("1.5,2\n3,4\n", False),
        ("2020,2019\n3,4\n", False),
    ],
)
def test_rows_of_numbers_that_are_samples(read, text, is_said):
    """Every other first row of numbers is a sample; where it counts upwards, that is said."""
    table = read(text)
    assert len(table.inputs) == 2
    assert table.input_names == ("column_1",)
    assert any("is read as a sample, though it may be names" in note for note in table.notes) == is_said


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("nan,2\n3,4\n", "row 1, column 1: 'nan'"),
        ("1,x\n3,4\n", "row 1, column 2: 'x'"),
        ("x,NA\n3,4\n", "row 1, column 2: 'NA'"),
        ("150,4,setosa\n1,2,0\n", "row 1, column 3: 'setosa'"),
    ],
)
def test_first_rows_that_are_neither_are_refused(read, text, odd):
    """The message names the options that settle it."""
    message = refusal(read, text)
    assert f"{odd} is not a number, and the row is not plainly a header; say --header or --no-header" in message
    assert "--skip-rows 1 leaves it out" in message


def test_first_rows_in_other_signs_say_what_to_type(read):
    """Numbers with grouped thousands are no names."""
    for option in ("--thousands ,", "--decimal ,"):
        assert option in refusal(read, "1,750;70\n1,800;71\n")


def test_lines_above_the_table_are_skipped(read):
    """scikit-learn writes counts first."""
    table = read("2,2,setosa\n5.1,3.5,0\n4.9,3.0,1\n", skip_rows=1)
    assert table.inputs == ((mpq(51, 10), mpq(7, 2)), (mpq(49, 10), 3))
    assert table.rows == (2, 3)
    assert "9 rows are to be skipped, but the text has 3" in refusal(read, "1,2\n3,4\n5,6\n", skip_rows=9)


# Index columns


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "rownames"])
def test_index_columns_are_left_out_and_said(read, name):
    """A first column without name that counts or labels rows is no input, unless it is asked for."""
    for labels in (("0", "1"), ("7", "3"), ("Mazda", "Fiat")):
        text = f"{name},x,y\n{labels[0]},1,2\n{labels[1]},3,5\n"
        table = read(text, "y")
        assert table.input_names == ("x",)
        assert any("is taken for an index and left out; --no-index keeps it" in note for note in table.notes)
    assert len(read(f"{name},x,y\n0,1,2\n1,3,5\n", "y", index=False).input_names) == 2
    assert read(f"{name},x,y\n0,1,2\n1,3,5\n", "y", inputs=[1]).inputs == ((0,), (1,))


def test_a_column_without_name_is_listed_as_such(read):
    """In the message about a name that is unknown."""
    assert "the names are (none), x, y" in refusal(read, ",x,y\n0,1,2\n1,3,5\n", "z")


def test_index_columns_that_are_doubtful_are_refused(read):
    """Numbers that are no integers, or repeated ones, below an empty name may be an input."""
    for text in (",x,y\n0.5,1,2\n1,3,5\n", ",x,y\n1,1,2\n1,3,5\n"):
        assert "may be an index or not; type --index to leave it out or --no-index" in refusal(read, text, "y")
        assert read(text, "y", index=True).input_names == ("x",)
        assert read(text, "y", index=False).input_names == ("", "x")


def test_columns_that_count_rows_are_said(read):
    """A named column that counts the rows is used, and said."""
    text = "id,x,y\n" + "".join(f"{k},{k * k},{k % 3}\n" for k in range(1, 6))
    table = read(text, "y")
    assert table.input_names == ("id", "x")
    assert any(
        "counts the rows, and is used like any other column; --index leaves it out" in note for note in table.notes
    )
    assert read(text, "y", index=True).input_names == ("x",)


def test_r_writes_one_name_less(read):
    """Where the header has one cell less than the rows, the first column labels them."""
    table = read("x y\nMazda 1 2\nFiat 3 5\n", "y")
    assert (table.input_names, table.inputs) == (("x",), ((1,), (3,)))
    for text in ("x,y\n1,1,2\n2,3,5\n", "x,y\n1,75,70\n"):
        message = refusal(read, text, "y")
        assert "may be an index without a name, as R writes it, or commas are decimal signs" in message
        assert "--index leaves the first column out, --no-index keeps it" in message
        assert read(text, "y", index=True).input_names == ("x",)
        assert read(text, "y", index=False).input_names == ("", "x")
    assert read("x,y\nMazda,1,2\nFiat,3,5\n", "y").input_names == ("x",)


# Cells that are no numbers


def test_columns_of_text_say_what_to_type(read):
    """All of them in one message, which names the option that leaves them out."""
    text = "x,kind,colour,y\n1,rose,red,2\n3,tulip,,5\n"
    message = refusal(read, text, "y")
    assert "column 2 ('kind') holds no numbers, but 'rose' in row 2; column 3 ('colour') holds no numbers" in message
    assert "--exclude kind,colour leaves them out" in message
    assert read(text, "y", exclude="kind,colour").input_names == ("x",)
    assert "--target chooses a column of numbers" in refusal(read, text, "kind")


def test_missing_cells_are_dropped_when_asked(read):
    """A row with a missing value in a chosen column is left out, and counted; other columns do not matter."""
    text = "x,z,y\n1,,2\n3,1,NA\n,1,5\n4,?,nan\n7,2,8\n"
    message = refusal(read, text, "y", exclude="z")
    assert "row 4, column 1 ('x'): the cell is empty: ''; --drop-missing leaves such rows out" in message
    table = read(text, "y", exclude="z", drop_missing=True)
    assert (table.inputs, table.targets, table.rows) == (((1,), (7,)), ((2,), (8,)), (2, 6))
    assert "3 of 5 rows have a missing value in a chosen column, and are left out" in table.notes
    assert "every row has a missing value" in refusal(read, "x,y\n1,\n,2\n", drop_missing=True)
    assert "not a number: 'inf'" in refusal(read, "x,y\n1,inf\n3,2\n", drop_missing=True)


def test_blank_rows_between_others_are_refused(read):
    """They may separate two tables; --drop-missing leaves them out."""
    text = "a,b\n1,2\n\n3,4\n"
    assert "row 3 is blank, and row 4 is not; --drop-missing" in refusal(read, text)
    assert read(text, drop_missing=True).inputs == ((1,), (3,))
    assert read("a,b\n1,2\n3,4\n,\n,\n").inputs == ((1,), (3,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,nan\n", "row 3, column 2 ('b'): not a number: 'nan'"),
        ("a,b\n1,2\n1_0,4\n", "row 3, column 1 ('a'): not a number: '1_0'"),
        ("1.5,2\n3,\u0661\n", "row 2, column 2: not a number: '\u0661'"),
        ("1.5,2\n3,-inf\n", "row 2, column 2: not a number: '-inf'"),
        ('a,"b\nb"\n1,2\n3,x\n', "row 4, column 2 ('b\\nb'): not a number: 'x'"),
        ("a,b\n1,2\n3\n", "row 3 has 1 cells, the header in row 1 has 2: column 2 ('b') is missing"),
        ("a,b\n1,2\n3,4,5\n", "row 3 has 3 cells, the header in row 1 has 2: column 3 has no name, and holds '5'"),
        ("a,b\n1,5,2,5\n", "if the comma is the decimal sign, cells need another sign"),
        ("a,b,a\n1,2,3\n", "row 1, column 3: the name 'a' is that of column 1, too"),
        ("a,b\n", "holds no rows below the header"),
        ("", "holds no rows"),
        ("# nothing\n\n", "holds no rows"),
        ('a,b\n"1"0,2\n', "row 2 is no CSV"),
        ('a,b\n1,"2\n', "row 2 is no CSV"),
        ("a,b\n1,++2\n3,4\n", "not a number: '++2'"),
        ("a,b\n1,+-2\n3,4\n", "not a number: '+-2'"),
        ("a,b\n1,1e99999\n3,4\n", "an exponent beyond"),
    ],
)
def test_texts_are_refused_by_row_column_and_value(read, text, message):
    """Rows are counted as in the file, from 1; the message begins with the file."""
    words = refusal(read, text, 2)
    assert message in words
    assert words.partition(": ")[0].endswith("data.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ",,"}, "one character is needed, or one of tab"),
        ({"decimal": "x"}, "the decimal sign is 'x'"),
        ({"thousands": "x"}, "thousands are grouped by 'x'"),
        ({"decimal": ",", "thousands": ","}, "cannot be the decimal sign and group thousands, too"),
        ({"skip_rows": -1}, "-1 rows cannot be skipped"),
    ],
)
def test_options_are_refused(read, options, message):
    """Signs that cannot be told apart, and no signs at all."""
    assert message in refusal(read, TABLE, 2, **options)


# Parquet, frames, arrays


def stackloss():
    pandas = pytest.importorskip("pandas")
    return pandas.read_csv(package_file("statsmodels", "datasets", "stackloss", "stackloss.csv"))


def test_frames_and_files_of_one_table_agree(tmp_path):
    """The same table as pandas, Polars and PyArrow frames, as Parquet with its index, and as pandas' own CSV."""
    pytest.importorskip("narwhals")
    frame = stackloss()
    expected = read_table(package_file("statsmodels", "datasets", "stackloss", "stackloss.csv"), "STACKLOSS")
    sources = [frame, frame.to_numpy(), frame.to_records(index=False)]
    frame.index = frame.index + 7
    frame.to_csv(tmp_path / "a.csv")
    frame.to_csv(tmp_path / "b.csv", sep=";", decimal=",", encoding="utf-16")
    frame.rename_axis(None).to_parquet(tmp_path / "a.parquet", index=True)
    sources += [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "a.parquet"]
    np.save(tmp_path / "a.npy", frame.to_numpy())
    sources.append(tmp_path / "a.npy")
    import pyarrow as pa

    sources.append(pa.Table.from_pandas(frame, preserve_index=False))
    if importlib.util.find_spec("polars") is not None:
        import polars as pl

        sources += [pl.from_pandas(frame), pl.from_pandas(frame).lazy()]
    for source in sources:
        is_named = not isinstance(source, np.ndarray) or source.dtype.names
        target = "STACKLOSS" if is_named and not str(source).endswith(".npy") else 1
        table = read_table(source, target)
        assert table.inputs == expected.inputs
        assert table.targets == expected.targets
        if target != 1:
            assert table.input_names == ("AIRFLOW", "WATERTEMP", "ACIDCONC")


def test_arrays_of_exact_numbers_are_read():
    """Fractions, rationals and integers in an array of objects are numbers like any other."""
    array = np.array([[mpq(1, 3), Fraction(1, 7)], [2, mpq(5)]], dtype=object)
    assert read_table(array, 2).inputs == ((mpq(1, 3),), (2,))
    assert read_table(array, 2).targets == ((mpq(1, 7),), (5,))
    array[1, 1] = None
    assert "row 2, column 2: the cell is empty" in refusal(read_table, array, 2)
    array[:, 1] = [True, False]
    assert "column 2 holds no numbers, but True in row 1" in refusal(read_table, array, 2)


def test_an_index_that_somebody_made_is_said():
    """A pandas frame's own numbering is nothing to speak of; any other index is left out aloud."""
    pytest.importorskip("narwhals")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"year": [1990, 1995], "x": [1.5, 2], "y": [3, 4]})
    assert read_table(frame, "y").notes == ()
    assert read_table(frame.set_index("year"), "y").notes == (
        "the frame's index ('year') is no column, and is left out; frame.reset_index() makes it one",
    )
    assert read_table(frame.iloc[[1]].set_axis(["a"]), "y").input_names == ("year", "x")
    dates = frame.assign(when=pandas.to_datetime(["1990-01-01", "1995-01-01"]))
    assert "column 4 ('when') holds no numbers" in refusal(read_table, dates, "y")
    assert "--exclude when leaves it out" in refusal(read_table, dates, "y")


def test_many_names_are_not_listed_all(read):
    """The message shows those that are like the wanted one."""
    text = ",".join(f"name{k}" for k in range(300)) + "\n" + ",".join(["1.5"] * 300) + "\n"
    message = refusal(read, text, "nam17")
    assert "there are 300 names, among them name17" in message
    assert len(message) < 400


def test_floats_in_frames_are_dyadic_and_lazy(tmp_path):
    """float64 and float32 columns become a matrix of doubles; 0.1 is not 1/10; integers and decimals stay what they are."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "d": pa.array([0.1, 2.0], pa.float64()),
            "f": pa.array([0.1, 3.0], pa.float32()),
            "i": pa.array([2**60 + 1, 3], pa.int64()),
            "c": pa.array([Decimal("0.10"), Decimal("-7.25")], pa.decimal128(10, 2)),
            "t": pa.array(["0.1", "1/3"], pa.string()),
            "k": pa.array(["0.5", "2"], pa.string()).dictionary_encode(),
        }
    )
    parquet.write_table(table, tmp_path / "x.parquet")
    read = read_table(tmp_path / "x.parquet", "d", inputs="f")
    assert isinstance(read.inputs, DoubleMatrix)
    assert read.inputs == ((mpq(float(np.float32(0.1))),), (3,))
    assert read.targets[0][0] == mpq(0.1) != mpq(1, 10)
    exact = read_table(tmp_path / "x.parquet", "d", inputs="i,c,t,k")
    assert exact.inputs == (
        (2**60 + 1, mpq(1, 10), mpq(1, 10), mpq(1, 2)),
        (3, mpq(-29, 4), mpq(1, 3), 2),
    )


def test_frames_are_refused_by_column(tmp_path):
    """Missing values, truth values, dates, lists and repeated names."""
    import pyarrow as pa

    narwhals = pytest.importorskip("narwhals")
    assert narwhals
    frame = pa.table({"x": [1.5, None, float("nan")], "y": [1, 2, 3]})
    assert "row 2, column 1 ('x'): the cell is empty: ''; --drop-missing" in refusal(read_table, frame, "y")
    assert read_table(frame, "y", drop_missing=True).inputs == ((mpq(3, 2),),)
    nan = pa.table({"x": [1.5, float("nan")], "y": [1, 2]})
    assert "row 2, column 1 ('x'): not a finite number: nan" in refusal(read_table, nan, "y")
    infinite = pa.table({"x": [1.5, float("inf")], "y": [1, 2]})
    assert "not a finite number: inf" in refusal(read_table, infinite, "y", drop_missing=True)
    truth = pa.table({"x": [True, False], "y": [1, 2]})
    assert "column 1 ('x') holds no numbers, but True in row 1" in refusal(read_table, truth, "y")
    lists = pa.table({"x": [[1], [2]], "y": [1, 2]})
    assert "column 'x' holds list" in refusal(read_table, lists, "y")
    assert "holds no rows" in refusal(read_table, pa.table({"x": pa.array([], pa.int64())}))
    assert "is no known table" in refusal(read_table, object())
    assert "the array has shape (3,)" in refusal(read_table, np.ones(3))
    assert "the array has shape (0, 2)" in refusal(read_table, np.ones((0, 2)))
    assert "masked" in refusal(read_table, np.ma.masked_equal([[1, 2]], 2))
    assert "of no use with a .npy file" in refusal(read_table, save(tmp_path, np.ones((2, 2))), skip_rows=1)
    assert "not a whole npy file of plain numbers" in refusal(read_table, save(tmp_path, np.array([[None, 1]])))


def save(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "array.npy", array, allow_pickle=True)
    return folder / "array.npy"


def test_damaged_parquet_files_are_refused(tmp_path):
    """Truncated at any place, or another kind of file."""
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"x": list(range(50)), "y": list(range(50))}), path)
    whole = path.read_bytes()
    for content in (
        b"",
        b"PAR1",
        whole[:-1],
        whole[: len(whole) // 2],
        b"a,b\n1,2\n",
        b"PAR1" + b"\xff" * 64 + b"PAR1",
    ):
        path.write_bytes(content)
        assert str(path) in refusal(read_table, path)
    assert "cannot be read" in refusal(read_table, tmp_path / "none.parquet")
    assert "cannot be read" in refusal(read_table, tmp_path)
    assert "a spreadsheet is no table in text" in refusal(read_table, tmp_path / "x.xlsx")


# Decoding, fuzzed


@given(st.binary(max_size=60))
def test_no_bytes_end_in_a_traceback(content):
    """Whatever the bytes are, there is a table or a message."""
    try:
        text, notes = decode_text(content, "x")
        sheet = parse_sheet(text, "x", notes=notes)
        sheet.numbers(range(sheet.width))
    except InputError as error:
        assert str(error)


@given(st.text(alphabet='0123456789.,;-+eE/ \t\n\r"#%abNA', max_size=60))
def test_no_text_ends_in_a_traceback(text):
    """The same for texts that are nearly tables."""
    try:
        sheet = parse_sheet(text, "x")
        sheet.numbers(range(sheet.width))
    except InputError as error:
        assert str(error)


# The command


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def test_import_says_what_it_decided(tmp_path, capsys, monkeypatch):
    """pandas' own CSV of stackloss gives the known minimum: the index is left out, on stderr and in the summary."""
    monkeypatch.chdir(tmp_path)
    stackloss().to_csv("s.csv")
    code, out, err = run(capsys, "import", "--data", "s.csv", "--target", "STACKLOSS", "-o", "s.json")
    assert code == 0
    assert "note: column 1 ('') is taken for an index and left out; --no-index keeps it" in err
    assert "note     column 1 ('') is taken for an index" in out
    assert "inputs   AIRFLOW, WATERTEMP, ACIDCONC\ntargets  STACKLOSS\n" in out
    code, out, err = run(capsys, "walk", "s.json", "-o", "s.drl")
    assert code == 0
    assert STACKLOSS in out


def test_import_takes_the_options(tmp_path, capsys, monkeypatch):
    """Each option arrives; an intercept may be left out; a dataset takes none of them."""
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text("written by hand\nk|a|b|kind|y\n0|1.234,5|2|rot|3\n1|2|2|blau|\n2|5|6|rot|7\n")
    options = ["--skip-rows", 1, "--delimiter", "|", "--decimal", ",", "--thousands", ".", "--header"]
    options += ["--encoding", "utf-8", "--exclude", "k", "--exclude", "kind", "--drop-missing", "--no-intercept"]
    code, out, err = run(capsys, "import", "--data", "t.txt", *options, "--targets", "b,y", "-o", "t.json")
    assert (code, err) == (0, "note: 1 of 3 rows have a missing value in a chosen column, and are left out\n")
    assert out.startswith("t.json: widths 1,2, layer 1 trained, 2 samples\ninputs   a\ntargets  b, y\n")
    assert '"1234.5"' in Path("t.json").read_text()
    assert '"bias": null' in Path("t.json").read_text()
    assert run(capsys, "import", "--dataset", "stackloss", "--drop-missing", "-o", "u.json")[0] == 2
    code, out, err = run(capsys, "import", "--data", "t.txt", "-o", "t.json")
    assert (code, out) == (2, "")
    assert "t.json: exists" in err or "row" in err
