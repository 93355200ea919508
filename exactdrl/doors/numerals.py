"""Numbers as people write them in tables: with a decimal comma, groups of thousands, a plus sign, or no value at all.

A number stays exact as written. A text that may mean two numbers is refused, and the message says what to type.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gmpy2 import mpq

from exactdrl.exact.rationals import InputError, parse_rational, shown

# what programs write where a number is missing; an infinity is a value, which is refused elsewhere
_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "."})
_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " "})
_SIGN = r"[+-]?"
_PLAIN = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
_COMMA = re.compile(rf"{_SIGN}[0-9]*,[0-9]+{_EXPONENT}")
_POINT = re.compile(rf"{_SIGN}[0-9]*\.[0-9]+{_EXPONENT}")
_GROUPED = re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+")
_POINTED = re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}\.[0-9]{{3}}")
_HINTS = (
    (
        _GROUPED,
        "the comma may group thousands or be decimal; type --thousands , or --decimal , (thousands=',' or decimal=',')",
    ),
    (
        re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:,[0-9]{{3}})+\.[0-9]*{_EXPONENT}"),
        "if the comma groups thousands, type --thousands , (thousands=',')",
    ),
    (
        re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:\.[0-9]{{3}})+,[0-9]*{_EXPONENT}"),
        "if the point groups thousands, type --decimal , --thousands . (decimal=',', thousands='.')",
    ),
    (
        re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:\.[0-9]{{3}}){{2,}}"),
        "if the point groups thousands, type --decimal , --thousands . (decimal=',', thousands='.')",
    ),
    (_COMMA, "if the comma is the decimal sign, type --decimal , (decimal=',')"),
    (
        re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:[ '_][0-9]{{3}})+(?:[.,][0-9]*)?{_EXPONENT}"),
        "if thousands are grouped, type --thousands and the sign between them, `space` for any blank (thousands=' ')",
    ),
    (re.compile(r"\u2212.*"), "the sign is the character U+2212; write the hyphen `-`"),
    (re.compile(r".*%"), "write the number without the percent sign"),
    (re.compile(r"[-+]?[$€£¥] ?[0-9].*|.*[0-9] ?[$€£¥]"), "write the number without the currency's sign"),
    (re.compile(rf"{_SIGN}[0-9]+\.?[0-9]*[dD]{_SIGN}[0-9]+"), "write the exponent with e, as in 1e3"),
    (re.compile(r"[^#]*[0-9] *#.*"), "a comment needs a line of its own"),
)
_GROUP_SIGNS = (",", ".", "'", "_", " ")


def is_missing(cell: str) -> bool:
    """Returns whether a cell holds no value: it is blank, `NA`, `N/A`, `#N/A`, `NaN`, `null`, `none`, `?` or `.`."""
    return cell.strip().lower() in _MISSING


def find_hint(cell: str) -> str | None:
    """Returns what to type where a cell is a number in other signs; None where it is no such number."""
    text = cell.strip().translate(_BLANKS)
    return next((hint for pattern, hint in _HINTS if pattern.fullmatch(text)), None)


@dataclass(frozen=True, slots=True)
class Numerals:
    """The signs with which a table's numbers are written.

    Attributes:
        decimal: the decimal sign, `.` or `,`.
        thousands: the sign that groups thousands; None where thousands are not grouped.
    """

    decimal: str = "."
    thousands: str | None = None

    def __post_init__(self) -> None:
        """Refuses signs that cannot be told apart.

        Raises:
            InputError: the message names the sign.
        """
        if self.decimal not in {".", ","}:
            raise InputError(f"the decimal sign is {shown(self.decimal)}; `.` or `,` is needed")
        if self.thousands is not None and self.thousands not in _GROUP_SIGNS:
            raise InputError(f"thousands are grouped by {shown(self.thousands)}; one of , . ' _ or a blank is needed")
        if self.thousands == self.decimal:
            raise InputError(f"{shown(self.decimal)} cannot be the decimal sign and group thousands, too")

    def parse_plain(self, cell: str) -> mpq | None:
        """Returns the number that a short decimal with a point writes; None for any other cell.

        `parse` returns the same number. Most cells are such decimals, and this takes a third of the time.
        """
        return mpq(cell) if self.is_plain and _PLAIN.fullmatch(cell) else None

    @property
    def is_plain(self) -> bool:
        """Returns whether numbers are written as programs do: with a decimal point, and nothing grouped."""
        return self.decimal == "." and self.thousands is None

    def parse(self, cell: str) -> mpq:
        """Returns the number that a cell writes, exactly; blanks around it and a plus sign are allowed.

        Raises:
            InputError: the cell is no number in these signs; the message shows the cell, and says what to type where
                that can be told.
        """
        text = cell.strip().translate(_BLANKS)
        if text[:1] == "+" and text[1:2] not in {"+", "-"}:
            text = text[1:]
        if self.thousands is not None and self.thousands in text:
            sign, point = re.escape(self.thousands), re.escape(self.decimal)
            pattern = rf"-?[1-9][0-9]{{0,2}}(?:{sign}[0-9]{{3}})+(?:{point}[0-9]*)?{_EXPONENT}"
            if not re.fullmatch(pattern, text):
                raise InputError(f"not a number with thousands grouped by {shown(self.thousands)}: {shown(cell)}")
            text = text.replace(self.thousands, "")
        if self.decimal == ",":
            if "." in text:
                advice = "numbers have a decimal comma here; type --thousands . or --decimal . (thousands='.')"
                raise InputError(f"not a number: {shown(cell)}; {advice}")
            text = text.replace(",", ".")
        try:
            return parse_rational(text)
        except InputError as error:
            hint = find_hint(cell)
            if hint is None:
                raise
            raise InputError(f"{error}; {hint}") from None

    def is_number(self, cell: str) -> bool:
        """Returns whether `parse` reads a cell."""
        try:
            self.parse(cell)
        except InputError:
            return False
        return True


def find_doubtful_point(cells: Iterable[str]) -> str | None:
    """Returns the first cell like `1.250` if every cell with a point is like that; None otherwise."""
    first = None
    for cell in cells:
        text = cell.strip()
        if _POINTED.fullmatch(text):
            first = first or text
        elif _POINT.fullmatch(text):
            return None
    return first


def find_numerals(cells: Iterable[str]) -> tuple[Numerals, str | None]:
    """Returns the decimal sign of a table, and the cell that shows a decimal comma; None where the sign is the point.

    The comma is the decimal sign where some cell is a number with one comma that cannot group thousands (`1,75`,
    `0,125`, not `1,250`), and where no cell is a number with a decimal point.
    """
    witness = None
    for cell in cells:
        text = cell.strip()
        if _POINT.fullmatch(text):
            return Numerals(), None
        if witness is None and "," in text and _COMMA.fullmatch(text) and not _GROUPED.fullmatch(text):
            witness = text
    return (Numerals(), None) if witness is None else (Numerals(","), witness)
