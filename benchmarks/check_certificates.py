"""Measures a step of the stand-alone checker in CPU time, with Python's integers and with gmpy2's."""

import contextlib
import importlib.util
import io
import tempfile
import time
from pathlib import Path

from exactdrl import Walk, record_walk, sample_experiment, write_instance

CHECKER = Path(__file__).parent.parent / "proofs" / "check.py"
PROBLEMS = [((4, 5, 4, 3, 2, 1), 100, 300), ((4, 5, 4, 3, 2, 1), 500, 300), ((12, 6, 4, 3, 1), 120, 60)]


def main() -> None:
    """Prints a line for each problem."""
    spec = importlib.util.spec_from_file_location("check", CHECKER)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(CHECKER)
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    for widths, samples, steps in PROBLEMS:
        with tempfile.TemporaryDirectory() as folder:
            instance, run = Path(folder) / "i.json", Path(folder) / "r.drl"
            problem = sample_experiment(widths, samples=samples, seed=1)
            write_instance(problem, instance)
            record_walk(Walk(problem, max_steps=steps), run)
            for options in ([], ["--gmpy2"]):
                before, out = time.process_time(), io.StringIO()
                with contextlib.redirect_stdout(out):
                    checker.main([str(instance), str(run), *options])
                each = 1000 * (time.process_time() - before) / steps
                print(widths, f"N={samples}", *options, f"{each:.1f} ms a step;", out.getvalue().strip(), flush=True)


if __name__ == "__main__":
    main()
