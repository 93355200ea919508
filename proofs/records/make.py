"""Makes the records anew by the commands in records.toml: python proofs/records/make.py FOLDER [NAME ...].

Needs exactdrl to be installed; to check a record nothing is needed but Python (README.md).
"""

import gzip
import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = ("instance.json.gz", "run.drl.gz")
STOPPED = 3  # the exit code of a walk that reached its limit


def read_index() -> list[dict[str, object]]:
    """Returns the entries of records.toml."""
    entries: list[dict[str, object]] = tomllib.loads((HERE / "records.toml").read_text(encoding="utf-8"))["record"]
    return entries


def make(record: dict[str, object], folder: Path) -> None:
    """Runs a record's commands in a folder.

    Raises:
        RuntimeError: a command failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for command in record["commands"]:  # type: ignore[attr-defined]
        done = subprocess.run([sys.executable, "-m", "exactdrl_cli", *command], cwd=folder, check=False)  # noqa: S603
        if done.returncode not in (0, STOPPED):
            raise RuntimeError(f"{record['name']}: {' '.join(command)} ended with exit code {done.returncode}")


def describe(folder: Path) -> dict[str, object]:
    """Returns what two files are: their hashes, the number of steps and the outcome."""
    instance, run = (gzip.decompress((folder / name).read_bytes()) for name in FILES)
    lines = run.decode("ascii").splitlines()
    outcome = json.loads(lines[-2])
    return {
        "steps": json.loads(lines[-1])["end"]["steps"],
        "outcome": outcome["outcome"] + (f" by {outcome['by']}" if "by" in outcome else ""),
        "published_stops": sum('"published_stop"' in line for line in lines),
        "instance": hashlib.sha256(instance).hexdigest(),
        "run": hashlib.sha256(run).hexdigest(),
    }


def main() -> None:
    """Makes the named records, or all, and prints what they are."""
    if len(sys.argv) < 2:  # noqa: PLR2004
        sys.exit(__doc__)
    for record in read_index():
        name = str(record["name"])
        if len(sys.argv) == 2 or name in sys.argv[2:]:  # noqa: PLR2004
            make(record, Path(sys.argv[1]) / name)
            print(json.dumps({"name": name} | describe(Path(sys.argv[1]) / name)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
