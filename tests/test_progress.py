"""What a person sees while a command works: a heartbeat in a pipe where it is asked for, and what is being proved."""

from itertools import pairwise

from gmpy2 import mpq

from exactdrl import Walk, sample_experiment
from exactdrl.front import progress as progress_module
from exactdrl.front.progress import progress
from exactdrl.report.words import zero_words


def test_heartbeat_in_a_pipe(capsys, monkeypatch):
    """Lines on stderr, no more often than every few seconds, and none where they are not asked for."""
    with progress("walk") as report:
        assert not report.is_due()
        report(3, "loss 1")
    assert capsys.readouterr() == ("", "")
    with progress("walk", has_heartbeat=True) as report:
        assert not report.is_due()
        report(3, "loss 1")
        monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN_LINES", 0.0)
        report(4, "loss 1")
        report(5)
    assert capsys.readouterr().err.splitlines() == ["walk: step 4, 0 s  loss 1", "walk: step 5, 0 s"]


def test_units_that_are_zero_are_named():
    """Units are numbered from 0, as in verdicts."""
    one, zero = mpq(1), mpq(0)
    assert zero_words(((one, zero), (zero, one))) == ""
    assert zero_words(((one, zero), (zero, zero))) == " where unit 1 is 0 on all samples"
    assert zero_words(((zero, zero), (one, one), (zero, zero))) == " where units 0, 2 are 0 on all samples"


def test_nodes_of_a_proof_are_told():
    """While a tree of tangent cells is closed the walk tells its nodes."""
    nodes = []
    walk = Walk(sample_experiment((2, 3, 1), samples=20, seed=5, bits=12))
    walk.on_node = nodes.append
    walk.run()
    assert len(nodes) > 10
    assert nodes[0] == 1
    assert all(after in (before + 1, 1) for before, after in pairwise(nodes))
