"""The records: accepted by the checker, as their index says, without time stamps, and made again to the same bytes."""

import gzip
import hashlib
import json
import re
import struct

import pytest
from exactdrl_proofs import check
from exactdrl_proofs.records import make

INDEX = make.read_index()
NAMES = [record["name"] for record in INDEX]
AGAIN = "published-stop"


@pytest.fixture(params=INDEX, ids=NAMES)
def record(request):
    return request.param


def test_the_checker_accepts(record):
    """Each certificate is accepted for its instance, with the steps and the outcome of the index."""
    line = check.check(*(str(make.HERE / record["name"] / name) for name in make.FILES))
    assert line.startswith(f"{record['steps']} steps, ")
    assert record["outcome"] in line


def test_the_index_says_what_the_files_are(record):
    """Hashes, numbers of steps and published stops, outcomes; and a row of README.md."""
    described = make.describe(make.HERE / record["name"])
    assert described == {key: record[key] for key in described}
    rows = [
        line for line in (make.HERE / "README.md").read_text().splitlines() if line.startswith(f"| {record['name']} ")
    ]
    assert len(rows) == 1
    assert rows[0].endswith(f"| {record['steps']} |")


def test_no_time_stamps(record):
    """The compressed files hold no time and no file name."""
    for name in make.FILES:
        magic, method, flags, time = struct.unpack("<HBBI", (make.HERE / record["name"] / name).read_bytes()[:8])
        assert (magic, method, flags, time) == (0x8B1F, 8, 0, 0)


def test_one_is_made_again(tmp_path):
    """The commands of the index give the same bytes again."""
    (record,) = [entry for entry in INDEX if entry["name"] == AGAIN]
    make.make(record, tmp_path)
    for name in make.FILES:
        assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress(
            (make.HERE / AGAIN / name).read_bytes()
        )


def test_a_record_of_another_instance_is_malformed():
    """A certificate speaks of its own instance only."""
    instance, run = make.HERE / "lad-engel" / make.FILES[0], make.HERE / "lad-diabetes" / make.FILES[1]
    with pytest.raises(check.Malformed, match="another instance"):
        check.check(str(instance), str(run))


def test_a_changed_record_is_rejected(tmp_path):
    """With another entering kink in one step, and the hash set right, the certificate is rejected."""
    folder = make.HERE / "lad-engel"
    lines = gzip.decompress((folder / make.FILES[1]).read_bytes()).decode().splitlines(keepends=True)
    step = json.loads(lines[70])
    step["enter"] = [step["enter"][0], (step["enter"][1] + 1) % 235, 0]
    lines[70] = json.dumps(step, separators=(",", ":")) + "\n"
    digest = hashlib.sha256("".join(lines[:-1]).encode()).hexdigest()
    lines[-1] = re.sub("[0-9a-f]{64}", digest, lines[-1])
    (tmp_path / "run.drl").write_text("".join(lines))
    with pytest.raises(check.Rejected):
        check.check(str(folder / make.FILES[0]), str(tmp_path / "run.drl"))
