"""Problems on which something once went wrong."""

from pathlib import Path

import pytest
from test_minimality import TRIANGLE, cut_instance

from exactdrl import (
    LocalMinimum,
    StrictLocalMinimum,
    Undecided,
    Walk,
    read_certificate,
    read_instance,
    record_walk,
    verify,
)

INSTANCES = Path(__file__).parent / "instances"
CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", [f"escape-{number}" for number in range(1, 5)])
def test_no_minimum_is_claimed_where_the_gradient_escapes(name, tmp_path):
    """Kinks without effect once hid a direction along which all others rest and the loss falls; the checker saw it."""
    path = INSTANCES / f"{name}.json"
    record_walk(Walk(read_instance(path)), tmp_path / "a.drl")
    assert verify(path, tmp_path / "a.drl").status == "accepted"


@pytest.mark.parametrize("path", sorted((CORPUS / "accept").glob("tree-*.drl")), ids=lambda path: path.stem)
def test_package_reads_what_the_checker_accepts(path):
    """Witnesses in every form of number that the format allows are read, exactly."""
    certificate = read_certificate(path, read_instance(path.with_suffix(".json")))
    assert certificate.outcome is not None


def test_budget_of_a_walk():
    """A walk that starts at a minimum which needs a tree ends undecided if the tree may have one node, else proved."""
    instance = cut_instance(3, TRIANGLE, 5)
    assert isinstance(Walk(instance, budget=1).run(), Undecided)
    assert isinstance(Walk(instance).run(), (LocalMinimum, StrictLocalMinimum))
