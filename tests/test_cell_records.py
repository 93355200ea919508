"""The records about cells: accepted by the checker, listed in the index, and made again to the same bytes."""

import json

import pytest
from exactdrl_proofs import check
from exactdrl_proofs.records import cells

NAMES = sorted(cells.CASES)


@pytest.mark.parametrize("name", NAMES)
def test_the_checker_accepts(name):
    """Each certificate is accepted for its instance."""
    line = check.check(str(cells.HERE / f"{name}.json"), str(cells.HERE / f"{name}.drl"))
    assert any(word in line for word in ("judged", "global", "minimum"))


@pytest.mark.parametrize("name", NAMES)
def test_the_command_makes_it_again(name, tmp_path):
    """The command of each record gives the same bytes."""
    cells.make(name, tmp_path)
    for ending in ("json", "drl"):
        assert (tmp_path / f"{name}.{ending}").read_bytes() == (cells.HERE / f"{name}.{ending}").read_bytes()


def test_all_records_are_listed():
    """The folder holds the records of the table and no others; each has a row in the index."""
    assert {path.stem for path in cells.HERE.iterdir()} == set(NAMES)
    page = (cells.HERE.parent / "README.md").read_text("utf-8")
    for name in NAMES:
        assert f" {name} |" in page or f" {name}," in page, name


def test_values_of_the_index():
    """The losses that the index names are those that the certificates prove."""
    expected = {"w1-width-1": "561/5000", "w1-width-2": "319/5000", "w1-width-3": "1/100", "w1-width-4": "0"}
    expected |= {"b-width-1": "512/975", "b-width-2": "0", "bump-width-2": "1", "bump-width-3": "0"}
    for name, loss in expected.items():
        lines = map(json.loads, (cells.HERE / f"{name}.drl").read_text("ascii").splitlines())
        assert next(line["global"] for line in lines if "global" in line) == loss
