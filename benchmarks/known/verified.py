"""Checks a random choice of the certificates of a campaign's runs, and writes the answers as a table.

    python benchmarks/known/verified.py docs/known/hinz.toml FOLDER docs/known/tables/verified.parquet --fast 25

FOLDER holds the certificates that the campaign kept (`FOLDER/NAME.drl.gz`). The choice is random by a seed, among the
finished runs of the table of walks beside the output; those for the checker are chosen among N of at most `--samples`.
`fast` is `exactdrl verify --fast`, `checker` the stand-alone proofs/check.py. Rows are written one by one.
"""

import argparse
import gzip
import hashlib
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from evidence import read_rows

from exactdrl.campaigns.case import Case
from exactdrl.campaigns.config import read_config
from exactdrl.certificate.verify import verify, verify_fast
from exactdrl.doors.sample import sample_experiment
from exactdrl.problem.file import write_instance

KINDS = {
    "name": pa.string(),
    "samples": pa.int32(),
    "method": pa.string(),
    "verdict": pa.string(),
    "steps": pa.int32(),
    "certificate": pa.string(),
    "seconds": pa.float32(),
}


def check(case: Case, steps: int, method: str, folder: Path) -> dict[str, Any]:
    """Returns a row: the verdict on a run's certificate, and the SHA-256 of its content."""
    path = folder / f"{case.name}.drl.gz"
    with tempfile.TemporaryDirectory() as name:
        problem = Path(name) / "a.json"
        instance = sample_experiment(case.widths, samples=case.samples, seed=case.seed, bits=case.bits)
        write_instance(instance, problem)
        began = time.monotonic()
        result = (verify_fast if method == "fast" else verify)(problem, path)
    return {
        "name": case.name,
        "samples": case.samples,
        "method": method,
        "verdict": result.status,
        "steps": steps,
        "certificate": hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest(),
        "seconds": time.monotonic() - began,
    }


def main() -> None:
    """Parses the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--fast", type=int, default=40)
    parser.add_argument("--checker", type=int, default=4)
    parser.add_argument("--samples", type=int, default=100, help="the most that the checker is given")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    cases = {case.name: case for case in read_config(chosen.config).cases if isinstance(case, Case)}
    walked = {
        row["name"]: row["steps"] for row in read_rows(chosen.table.parent / "walks.parquet") if row["status"] == "done"
    }
    names = [name for name in walked if (chosen.folder / f"{name}.drl.gz").exists()]
    source = random.Random(chosen.seed)  # noqa: S311 - which runs are checked is no secret
    small = [name for name in names if cases[name].samples <= chosen.samples]
    picked = [(name, "checker") for name in source.sample(small, min(chosen.checker, len(small)))]
    picked += [(name, "fast") for name in source.sample(names, min(chosen.fast, len(names)))]
    rows: list[dict[str, Any]] = []
    for name, method in picked:
        rows.append(check(cases[name], walked[name], method, chosen.folder))
        arrays = {key: pa.array([row[key] for row in rows], kind) for key, kind in KINDS.items()}
        pq.write_table(pa.table(arrays), chosen.table, compression="zstd")
        print(rows[-1]["verdict"], name, flush=True)


if __name__ == "__main__":
    main()
