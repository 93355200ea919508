"""Tables in text: CSV and its relatives as people and programs write them.

A text leaves some things open: the encoding, the sign between cells, the decimal sign, whether the first row holds
names, what is a comment. A stated rule decides each of them, and the sheet's notes say the decision. Each rule is in
the docstring of the function that applies it, and an option overrules it.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exactdrl.doors.numerals import Numerals, find_doubtful_point, find_hint, find_numerals, is_missing
from exactdrl.doors.sheet import Sheet
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.file_kinds import find_kind

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
# Control characters that no table of text holds
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_NAMED_SIGNS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
# in this order, since a text with tabs or semicolons in every row rarely has them within cells; commas may be decimal
_SIGNS = ("\t", ";", "|", ",", " ")
_SIGN_WORDS = {"\t": "tabs", ";": "semicolons", "|": "vertical bars", ",": "commas", " ": "blanks"}
# how many rows are read to find the sign between cells
_LOOKED_AT = 100
_COMMENTS = ("#", "%")
_YEARS = range(1500, 2101)
_YEAR_DIGITS = 4
_QUOTED = re.compile(r"'[^']+'")
_SETTLE = "say --header or --no-header (has_header=True or False)"


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a text writes a table. None means that the rule of the function in parentheses decides.

    Attributes:
        delimiter: the sign between cells, one character or one of the words `tab`, `space`, `comma`, `semicolon`,
            `pipe`; `space` stands for any run of blanks (`find_delimiter`).
        decimal: the decimal sign, `.` or `,` (`find_numerals`).
        thousands: the sign that groups thousands; None where thousands are not grouped.
        has_header: whether the first row holds names (`find_header`).
        skip_rows: how many lines at the beginning are left out.
        encoding: a codec that Python knows (`decode_text`).
        skip_blank: whether blank rows between others are left out.
    """

    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    has_header: bool | None = None
    skip_rows: int = 0
    encoding: str | None = None
    skip_blank: bool = False


@dataclass(frozen=True, slots=True)
class TextRow:
    """The cells of a row, and the number of the line where the row begins, from 1."""

    line: int
    cells: tuple[str, ...]


def decode_text(content: bytes, place: str, encoding: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Returns the text of a file, and notes on how it was decoded.

    A byte order mark decides (UTF-8, UTF-16, UTF-32). Without a mark the text is read as UTF-8. If it is not UTF-8 and
    holds no control characters, it is read as Windows-1252, or as Latin-1 where a byte has no meaning in Windows-1252,
    and a note says so. Numbers are the same in all of these; names with accents may differ.

    Args:
        content: the bytes.
        place: what error messages call the file.
        encoding: a codec that Python knows; default: decided by the rule above.

    Raises:
        InputError: the bytes are no text, or no text in the encoding; the message says what they seem to be.
    """
    if encoding is not None:
        return _decode(content, place, encoding), ()
    for mark, codec, words in _MARKS:
        if content.startswith(mark):
            notes = () if words == "UTF-8" else (f"the text is {words}, by its byte order mark",)
            return _decode(content, place, codec), notes
    _refuse_other_kinds(content, place)
    try:
        text, notes = content.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        codec = "cp1252" if _is_text(content, "cp1252") else "latin-1"
        text = content.decode(codec)
        reason = f"byte {error.start} is not UTF-8"
        if _CONTROL.search(text):
            raise InputError(f"{place}: no table in text: {reason}, and there are control characters") from None
        notes = (f"{reason}; the text is read as {codec}, and --encoding chooses another encoding",)
    if found := _CONTROL.search(text.removesuffix("\x1a")):
        raise InputError(f"{place}: no table in text: character {found.start()} is {shown(found[0])}")
    return text, notes


def _decode(content: bytes, place: str, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except LookupError:
        raise InputError(
            f"{place}: no encoding is named {shown(encoding)}; names are utf-8, utf-16, latin-1 and others of Python's"
        ) from None
    except (UnicodeError, ValueError) as error:
        raise InputError(f"{place}: cannot be decoded as {encoding} ({error})") from None
    return text.removeprefix("\ufeff")


def _refuse_other_kinds(content: bytes, place: str) -> None:
    if kind := find_kind(content):
        raise InputError(f"{place}: no table in text, but {kind}")
    if b"\x00" in content[:4]:
        likely = "utf-16-le" if content[1:2] == b"\x00" else "utf-16-be"
        if _is_text(content, likely):
            hint = f"type --encoding {likely} (encoding={likely!r})"
            raise InputError(f"{place}: UTF-16 without a byte order mark; {hint}")


def _is_text(content: bytes, codec: str) -> bool:
    try:
        return not _CONTROL.search(content.decode(codec))
    except UnicodeError:
        return False


def parse_sheet(text: str, place: str, form: TextForm = TextForm(), notes: Sequence[str] = ()) -> Sheet:
    """Returns the cells of a table in text.

    Lines that begin with `#` or `%` are comments. Blank rows at the beginning and at the end are left out; blank rows
    between others are refused. Trailing commas make cells at the ends of rows that are empty in every row; these are
    left out, and a note says so. If the header has one cell less than every row, as R writes it, the first column is an
    index. The last comment before the first row gives the names if it holds a name for each column and the first row
    holds numbers, as NumPy writes it; a note says so.

    Args:
        text: rows of cells; a cell may stand in double quotes.
        place: what error messages call the text.
        form: how the table is written.
        notes: notes on how the text was decoded.

    Raises:
        InputError: there are no rows, rows are ragged or blank, names are repeated, quotes are not closed, or the first
            row may be a header or not; the message names the place, row and column, and says what to type.
    """
    said = list(notes)
    lines = _split_lines(text, place, form.skip_rows)
    delimiter = _to_sign(form.delimiter) if form.delimiter is not None else None
    if lines and (match := re.fullmatch(r"sep=(.)", lines[0][1].strip('\r\n"'))) and delimiter is None:
        # the line by which Excel names the sign between cells
        delimiter, lines = match[1], lines[1:]
    comment, kept = _without_comments(lines)
    if delimiter is None:
        delimiter = find_delimiter([line for _, line in kept])
        if delimiter != ",":
            said.append(f"cells are separated by {_SIGN_WORDS[delimiter]}")
    rows = _without_empty_ends(_read_rows(kept, place, delimiter, said, skip_blank=form.skip_blank), said)
    numerals, rows_said = _to_numerals(rows, form)
    said += rows_said
    if delimiter == ";" and form.decimal is None and numerals.is_plain:
        said += _say_doubtful_points(rows)
    header, from_comment = _find_names(
        rows, _to_cells(comment, delimiter), place, has_header=form.has_header, numerals=numerals, said=said
    )
    body = rows if header is None or from_comment else rows[1:]
    return _to_sheet(place, header, body, numerals, delimiter=delimiter, said=said)


def _split_lines(text: str, place: str, skip_rows: int) -> list[tuple[int, str]]:
    if skip_rows < 0:
        raise InputError(f"{place}: {skip_rows} rows cannot be skipped; --skip-rows (skip_rows) takes 0 or more")
    # DOS ended texts with this character
    text = text.removesuffix("\x1a")
    numbered = list(enumerate(io.StringIO(text, newline=None), 1))
    if skip_rows and skip_rows >= len(numbered):
        raise InputError(f"{place}: {skip_rows} rows are to be skipped, but the text has {len(numbered)}")
    return numbered[skip_rows:]


def _to_sign(word: str) -> str:
    sign = _NAMED_SIGNS.get(word.lower(), word)
    if len(sign) != 1 or sign in '\r\n"':
        raise InputError(f"delimiter is {shown(word)}; one character is needed, or one of {', '.join(_NAMED_SIGNS)}")
    return sign


def _without_comments(lines: Sequence[tuple[int, str]]) -> tuple[str | None, list[tuple[int, str]]]:
    """Returns the last comment before the first row, without its sign, and the lines that are no comments."""
    comment, kept = None, []
    for number, line in lines:
        bare = line.strip()
        if not bare.startswith(_COMMENTS):
            kept.append((number, line))
        elif not any(other.strip() for _, other in kept):
            comment = bare.lstrip("".join(_COMMENTS)).strip()
    return comment, kept


def find_delimiter(lines: Sequence[str]) -> str:
    """Returns the sign between the cells of a text.

    It is the first of tab, semicolon, vertical bar, comma and blank that splits the first hundred rows into the same
    number of cells, at least two. If there is none, it is the first of these but the blank that splits every row, and
    else the comma. The first row may have one cell less than the others.

    Args:
        lines: the lines of the text, without comments.
    """
    written = [line for line in lines if line.strip()][:_LOOKED_AT]
    every = None
    for sign in _SIGNS:
        try:
            counts = [len(row) for row in _split(iter(written), sign)]
        except csv.Error:
            continue
        rest = counts[1:] or counts
        if not rest or min(rest) < 2:  # noqa: PLR2004 - a sign that splits nothing is no sign
            continue
        if len(set(rest)) == 1 and counts[0] in (rest[0], rest[0] - 1):
            return sign
        # blanks between words do not make a text a table
        if every is None and min(counts) > 1 and sign != " ":
            every = sign
    return every or ","


def _split(lines: Iterator[str], sign: str) -> Iterator[list[str]]:
    if sign == " ":
        lines = (line.strip().replace("\t", " ") for line in lines)
    # blanks after the sign belong to no cell, even before a quote
    return csv.reader(lines, delimiter=sign, skipinitialspace=True, strict=True)


def _read_rows(
    lines: Sequence[tuple[int, str]], place: str, delimiter: str, said: list[str], *, skip_blank: bool
) -> list[TextRow]:
    """Returns the rows that are not blank, at least one."""
    taken: list[int] = []

    def feed() -> Iterator[str]:
        for number, line in lines:
            taken.append(number)
            yield line

    rows: list[TextRow] = []
    blank: int | None = None
    reader = _split(feed(), delimiter)
    while True:
        taken.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{place}: row {taken[0]} is no CSV ({error})") from None
        if cells is None:
            break
        # a quoted cell may hold line breaks, so that a row may be several lines
        row = TextRow(taken[0], tuple(cell.strip() for cell in cells))
        if not any(row.cells):
            blank = row.line if blank is None else blank
            if any(cells) or len(cells) > 1:
                said.append(f"row {row.line} holds nothing between its separators, and counts as blank")
            continue
        if blank is not None and rows and not skip_blank:
            hint = "--drop-missing leaves such rows out (drop_missing=True)"
            raise InputError(f"{place}: row {blank} is blank, and row {row.line} is not; {hint}")
        blank = None
        rows.append(row)
    if not rows:
        raise InputError(f"{place}: holds no rows")
    return rows


def _without_empty_ends(rows: list[TextRow], said: list[str]) -> list[TextRow]:
    """Returns the rows without cells at their ends that are empty in every row, such as trailing commas make."""
    width = max(max(position for position, cell in enumerate(row.cells, 1) if cell) for row in rows)
    longer = next((row.line for row in rows if len(row.cells) > width), None)
    if longer is None:
        return rows
    said.append(
        f"cells beyond column {width} are empty in every row that has them, such as row {longer}, and are left out"
    )
    return [TextRow(row.line, row.cells[:width]) for row in rows]


def _to_numerals(rows: Sequence[TextRow], form: TextForm) -> tuple[Numerals, list[str]]:
    if form.decimal is not None or form.thousands is not None:
        thousands = None if form.thousands is None else _NAMED_SIGNS.get(form.thousands.lower(), form.thousands)
        decimal = form.decimal or ("," if thousands == "." else ".")
        return Numerals(_NAMED_SIGNS.get(decimal, decimal), thousands), []
    numerals, witness = find_numerals(cell for row in rows for cell in row.cells)
    return numerals, [] if witness is None else [
        f"the comma is the decimal sign, as in {witness}; --decimal . makes it the point"
    ]


def _say_doubtful_points(rows: Sequence[TextRow]) -> list[str]:
    """Returns what is said where every point may group thousands: semicolons are often those of a decimal comma."""
    doubtful = find_doubtful_point(cell for row in rows for cell in row.cells)
    return (
        []
        if doubtful is None
        else [
            f"the point is the decimal sign, as in {doubtful}; if it groups thousands, type --decimal , --thousands ."
        ]
    )


def _find_names(
    rows: Sequence[TextRow],
    comment: tuple[str, ...],
    place: str,
    *,
    has_header: bool | None,
    numerals: Numerals,
    said: list[str],
) -> tuple[TextRow | None, bool]:
    """Returns the row of names or None, and whether it is a comment."""
    first = rows[0]
    if has_header is not None:
        return (first if has_header else None), False
    if comment and all(numerals.is_number(cell) for cell in first.cells):
        is_whole = len(comment) == len(first.cells) and len(set(comment)) == len(comment)
        # the name above a column of row labels is left out
        if is_whole and all(map(_is_name, comment if comment[0] else comment[1:])):
            listed = ", ".join(comment)
            said.append(f"the names of the columns are taken from the comment above row {first.line}: {listed}")
            return TextRow(first.line, comment), True
    return (first if find_header(first, rows[1:], place, numerals, said) else None), False


def _to_cells(line: str | None, delimiter: str) -> tuple[str, ...]:
    """Returns the cells of a comment; none where the comment is no row of cells."""
    try:
        return tuple(cell.strip() for cell in next(_split(iter([line or ""]), delimiter), []))
    except csv.Error:
        return ()


def _is_name(cell: str) -> bool:
    return bool(cell) and not is_missing(cell) and (cell[0].isalpha() or cell[0] == "_")


def find_header(row: "TextRow", rest: Sequence["TextRow"], place: str, numerals: Numerals, said: list[str]) -> bool:
    """Returns whether the first row of a text holds the names of the columns.

    - A row holds names if none of its cells is a number or a word for a missing value such as `NA`. Its first cell, and
      cells of columns without any value, may be empty.
    - A row of numbers holds names if the numbers are consecutive years, as in `2019,2020`, and the row below holds no
      years. It does, too, if the numbers are 0, 1, 2, ..., as pandas writes columns without names, for at least three
      columns, or for two columns where some number below is no integer. A note says so. Other rows of numbers hold no
      names; where they count upwards, a note says that they might.
    - A row in which only some cells are numbers holds names if the numbers are two or more consecutive years and the
      other cells begin with a letter. A note says so. Any other such row is refused.

    Args:
        row: the first row.
        rest: the other rows.
        place: what error messages call the text.
        numerals: how numbers are written.
        said: the list to which the notes are added.

    Raises:
        InputError: the row may hold names or not.
    """
    first = row.cells
    # pandas and R write nothing, or one cell less, above the column of row labels
    cells = first[1:] if first and not first[0] and len(first) > 1 else first
    are_numbers = [numerals.is_number(cell) for cell in cells]
    if all(are_numbers):
        return _is_row_of_number_names(row, cells, rest, numerals, said)
    are_names = [
        not number and (not is_missing(cell) or (not cell and _is_empty_column(position, rest)))
        for position, (cell, number) in enumerate(zip(cells, are_numbers, strict=True), len(first) - len(cells))
    ]
    if all(are_names) and any(cells):
        return True
    numbers = [cell for cell, number in zip(cells, are_numbers, strict=True) if number]
    if _are_years(numbers) and all(map(_is_name, (c for c, n in zip(cells, are_numbers, strict=True) if not n))):
        said.append(
            f"row {row.line} is taken as names, with years {numbers[0]} to {numbers[-1]}; --no-header reads it as data"
        )
        return True
    # beside numbers the odd cell is the first that is no number; beside names the first that is no name
    odd = (are_numbers if any(are_numbers) else are_names).index(False) + len(first) - len(cells)
    hinted = next((position for position, cell in enumerate(first) if find_hint(cell) is not None), None)
    if hinted is not None:
        hint = f"not a number: {shown(first[hinted])}; {find_hint(first[hinted])}"
        raise InputError(f"{place}: row {row.line}, column {hinted + 1}: {hint}")
    raise InputError(
        f"{place}: row {row.line}, column {odd + 1}: {shown(first[odd])} is not a number, and the row is not plainly a "
        f"header; {_SETTLE}; if it is neither, --skip-rows {row.line} leaves it out (skip_rows={row.line})"
    )


def _are_years(cells: Sequence[str]) -> bool:
    """Returns whether cells are consecutive years, two or more."""
    if len(cells) < 2 or not all(cell.isascii() and cell.isdecimal() and len(cell) == _YEAR_DIGITS for cell in cells):  # noqa: PLR2004 - one number is no row of years
        return False
    years = [int(cell) for cell in cells]
    return years == list(range(years[0], years[0] + len(years))) and years[0] in _YEARS and years[-1] in _YEARS


def _is_empty_column(position: int, rest: Sequence[TextRow]) -> bool:
    return all(position >= len(row.cells) or not row.cells[position] for row in rest)


def _is_row_of_number_names(
    row: TextRow, cells: Sequence[str], rest: Sequence[TextRow], numerals: Numerals, said: list[str]
) -> bool:
    first, line = row.cells, row.line
    if not all(cell.isascii() and cell.isdecimal() for cell in cells) or len(cells) < 2 or not rest:  # noqa: PLR2004
        if len(cells) < len(first):
            said.append(f"row {line} has an empty first cell and is read as a sample; --header takes it as names")
        return False
    values = [int(cell) for cell in cells if len(cell) < 10]  # noqa: PLR2004 - longer ones count nothing
    if values != list(range(values[0], values[0] + len(cells))) if values else True:
        return False
    below = [cell for other in rest for cell in other.cells]
    if _are_years(cells):
        offset = len(first) - len(cells)
        is_header = not all(cell.isdecimal() and int(cell) in _YEARS for cell in rest[0].cells[offset:])
    else:
        has_fraction = any(numerals.is_number(cell) and numerals.parse(cell).denominator != 1 for cell in below)
        is_header = values[0] == 0 and (len(cells) < len(first) or len(cells) > 2 or has_fraction)  # noqa: PLR2004
    shown_row = ", ".join(first[:6]) + (", ..." if len(first) > 6 else "")  # noqa: PLR2004
    if is_header:
        said.append(f"row {line} ({shown_row}) is taken as the names of the columns; --no-header takes it as a sample")
    else:
        said.append(f"row {line} ({shown_row}) is read as a sample, though it may be names; --header takes it as names")
    return is_header


def _to_sheet(
    place: str,
    header: TextRow | None,
    rows: Sequence[TextRow],
    numerals: Numerals,
    *,
    delimiter: str,
    said: list[str],
) -> Sheet:
    if not rows:
        raise InputError(f"{place}: holds no rows below the header")
    names = None if header is None else list(header.cells)
    width = len(rows[0].cells) if names is None else len(names)
    has_index, doubt = False, ""
    if names is not None and all(len(row.cells) == width + 1 for row in rows):
        # with commas, a cell more than names may come from a decimal comma, as in x,y above 1,75,70
        if delimiter == "," and any(numerals.is_number(row.cells[0]) for row in rows):
            line = 1 if header is None else header.line
            doubt = (
                f"the header in row {line} has one cell less than the rows: the first column may be an index without a "
                "name, as R writes it, or commas are decimal signs, so that cells need another sign between them"
            )
        else:
            said.append(
                "the header has one cell less than the rows, so that the first column is an index without a name"
            )
            has_index = True
        names.insert(0, "")
        width += 1
    above = f"row {rows[0].line}" if header is None else f"the header in row {header.line}"
    for row in rows:
        _check_length(row, width, names, place, above)
    columns = [tuple(row.cells[index] for row in rows) for index in range(width)]
    if names is not None and all(_QUOTED.fullmatch(name) for name in names):
        said.append("the names stand in single quotes, which are left out")
        names = [name[1:-1] for name in names]
    checked = None if names is None or header is None else _check_names(names, header.line, place, said)
    return Sheet(
        place, checked, tuple(row.line for row in rows), tuple(columns), numerals, tuple(said), has_index, doubt
    )


def _check_length(row: TextRow, width: int, names: Sequence[str] | None, place: str, above: str) -> None:
    length = len(row.cells)
    if length == width:
        return
    problem = f"{place}: row {row.line} has {length} cells, {above} has {width}"
    hint = ""
    if width == 1 or length == 1:
        hint = "; --delimiter (delimiter) chooses another sign between cells"
    elif length == 2 * width:
        hint = "; if the comma is the decimal sign, cells need another sign between them, or quotes"
    elif length > width:
        hint = "; --skip-rows (skip_rows) leaves out lines above the table"
    if length < width:
        named = f" ({shown(names[length])})" if names else ""
        raise InputError(f"{problem}: column {length + 1}{named} is missing{hint}")
    raise InputError(f"{problem}: column {width + 1} has no name, and holds {shown(row.cells[width])}{hint}")


def _check_names(names: Sequence[str], line: int, place: str, said: list[str]) -> tuple[str, ...]:
    """Returns the names, no two the same; a column without a name, other than the first, is named by its number."""
    checked = list(names)
    for index, name in enumerate(checked):
        if not name and index:
            checked[index] = f"column_{index + 1}"
            said.append(f"column {index + 1} has no name, and is named column_{index + 1}")
    for index, name in enumerate(checked):
        first = checked.index(name)
        if first != index:
            raise InputError(
                f"{place}: row {line}, column {index + 1}: the name {shown(name)} is that of column {first + 1}, too; "
                "--no-header --skip-rows 1 leaves the names out, and columns are then chosen by number"
            )
    return tuple(checked)
