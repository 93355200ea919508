"""Results of the front in a console and as arguments of other functions."""

import exactdrl
from exactdrl import Instance, sample_experiment


def test_a_result_is_read_in_a_console():
    """Its repr is the lines that the command prints, not the problem's data."""
    walked = exactdrl.walk(sample_experiment((2, 3, 1), samples=20, seed=1))
    judged = exactdrl.judge(walked.instance, free="layer")
    for result in (walked, judged):
        assert repr(result) == str(result)
        assert "mpq(" not in repr(result)
        assert len(repr(result)) < 2000


def test_a_walks_result_is_a_run(tmp_path):
    """What is made of a result is what is made of the file that it was saved to."""
    instance: Instance = sample_experiment((2, 3, 1), samples=20, seed=2)
    walked = exactdrl.walk(instance)
    walked.save(tmp_path / "run.drl")
    of_file = exactdrl.observe(instance, tmp_path / "run.drl", lines=1, jobs=1)
    assert exactdrl.observe(instance, walked, lines=1, jobs=1).to_dict() == of_file.to_dict()
    assert list(exactdrl.walk_points(instance, walked)) == list(exactdrl.walk_points(instance, tmp_path / "run.drl"))
