"""Writes the pages of docs/known from their tables: python benchmarks/known/pages.py [PAGE ...].

Each page has a text with places to fill, docs/known/pages/NAME.md.in, and a module with a function `values`. The
function computes numbers, tables and verdicts for the places from the tables in docs/known/tables. It draws the page's
figures, too.
"""

import argparse
import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

KNOWN = Path(__file__).resolve().parent.parent.parent / "docs" / "known"
# page and module; the front page is last, for it repeats what the others found
PAGES = {
    "hinz": "hinz",
    "density": "density_page",
    "leak": "leak",
    "small-start": "small_page",
    "training": "training_page",
    "cells": "cells_page",
    "index": "front",
}
_PLACE = re.compile(r"\{\{ ([a-z0-9_]+) \}\}")


def compute(page: str, tables: Path, figures: Path) -> dict[str, str]:
    """Returns a page's values from the folder of tables, and draws its figures into another folder."""
    found: Callable[[Path, Path], dict[str, str]] = importlib.import_module(PAGES[page]).values
    return found(tables, figures)


def fill(text: str, values: dict[str, str]) -> str:
    """Returns a text with its places filled.

    Raises:
        KeyError: a place has no value.
    """
    return _PLACE.sub(lambda match: values[match[1]], text)


def write_pages(names: Sequence[str], tables: Path, texts: Path, folder: Path) -> list[Path]:
    """Writes pages and figures into a folder; returns the pages' paths."""
    written = []
    for name in names:
        found = compute(name, tables, folder / "figures")
        path = folder / f"{name}.md"
        path.write_text(fill((texts / f"{name}.md.in").read_text(encoding="utf-8"), found), encoding="utf-8")
        written.append(path)
    return written


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help=f"of {', '.join(PAGES)}; default: all")
    chosen = parser.parse_args()
    for path in write_pages(chosen.pages or list(PAGES), KNOWN / "tables", KNOWN / "pages", KNOWN):
        print(path)


if __name__ == "__main__":
    main()
