"""Files of every kind at every place where a file is expected: a line that says what is wrong, and no traceback."""

import gzip
import io
import json
import pickle
import re
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from exactdrl_cli.main import main
from pyarrow import parquet

from exactdrl import InputError, Walk, read_instance, record_walk, sample_experiment, write_instance
from exactdrl.problem.file_kinds import find_kind, kind_name

ROOT = Path(__file__).parent.parent
# what a command does with a file: the option or argument that takes the file, among others that are right
COMMANDS = {
    "instance": (
        ("walk", "{}", "-o", "new.drl"),
        ("judge", "{}"),
        ("minimum", "{}"),
        ("snap", "{}", "-o", "new.json"),
        ("embed", "{}", "--replicate", "0", "--copies", "1,1", "-o", "new.json"),
        ("show", "{}", "right.drl"),
        ("verify", "{}", "right.drl", "--fast"),
        ("rerun", "{}", "right.drl"),
        ("slice", "{}", "right.drl", "-o", "new.png"),
        ("observe", "{}", "right.drl", "-o", "new.claims"),
        ("report", "{}", "right.drl", "-o", "new.html"),
        ("export", "{}", "right.drl", "--losses", "new.csv"),
        ("audit", "{}", "right.csv"),
    ),
    "run": (
        ("show", "right.json", "{}"),
        ("verify", "right.json", "{}"),
        ("verify", "right.json", "{}", "--fast"),
        ("rerun", "right.json", "{}"),
        ("slice", "right.json", "{}", "-o", "new.png"),
        ("observe", "right.json", "{}", "-o", "new.claims"),
        ("report", "right.json", "{}", "-o", "new.html"),
        ("export", "right.json", "{}", "--losses", "new.csv"),
        ("elaborate", "right.json", "{}", "-o", "new.hints"),
    ),
    "claims": (("verify", "right.json", "right.drl", "{}"),),
    "points": (("audit", "right.json", "{}"), ("slice", "right.json", "-o", "new.png", "--through", "{}")),
    "table": (
        ("regress", "{}"),
        ("import", "--data", "{}", "-o", "new.json"),
        ("cells", "{}"),
        ("global", "{}", "--units", "1"),
        ("spurious", "{}", "-o", "new.json"),
    ),
    "network": (
        ("import", "--network", "{}", "--data", "right.csv", "-o", "new.json"),
        ("import", "--safetensors", "{}", "--data", "right.csv", "-o", "new.json"),
    ),
    "config": (("campaign", "{}", "-o", "new"),),
}
# where a kind of file is right
RIGHT = {
    "right.json": {"instance", "table"},
    "right.drl": {"run"},
    "right.csv": {"points", "table"},
    "array.npy": {"table", "points"},
    "data.parquet": {"table", "points"},
    "weights.npz": {"network"},
    "weights.safetensors": {"network"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Returns a folder with a right file for each place, and wrong ones of many kinds."""
    folder = tmp_path_factory.mktemp("bad")
    instance = sample_experiment((2, 2, 1), samples=7, seed=1, bits=5)
    write_instance(instance, folder / "right.json")
    record_walk(Walk(instance), folder / "right.drl")
    (folder / "right.csv").write_text("a,b,c,d,e,f\n1,2,3,4,5,6\n2,3,4,5,6,8\n1,0,1,0,1,1\n")
    np.save(folder / "array.npy", np.arange(12.0).reshape(3, 4))
    np.savez(folder / "weights.npz", weight_1=np.ones((1, 5)))
    np.save(folder / "objects.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    np.savez(folder / "objects.npz", weight_1=np.array([[object]], dtype=object))
    np.save(folder / "nan.npy", np.full((3, 3), np.nan))
    np.save(folder / "cube.npy", np.ones((2, 2, 2)))
    parquet.write_table(pa.table({"a": [1.0, 2.0], "b": [3.0, 5.0]}), folder / "data.parquet")
    content = (folder / "data.parquet").read_bytes()
    (folder / "half.parquet").write_bytes(content[: len(content) // 2])
    header = json.dumps({"0.weight": {"dtype": "F64", "shape": [1, 5], "data_offsets": [0, 40]}}).encode()
    (folder / "weights.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(40))
    (folder / "huge.safetensors").write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    # the form of torch.save: an archive with a pickle in it, which must not be loaded
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("archive/data.pkl", pickle.dumps(Trap()))
        opened.writestr("archive/version", "3\n")
    (folder / "model.pt").write_bytes(archive.getvalue())
    # the beginning of an ONNX file, broken off
    (folder / "model.onnx").write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:\xff\x0f\n\x1b")
    (folder / "empty.json").write_bytes(b"")
    (folder / "zeros.drl").write_bytes(bytes(5000))
    (folder / "broken.json.gz").write_bytes(gzip.compress(b'{"format":')[:-4])
    (folder / "plain.gz").write_bytes(b"no gzip")
    (folder / "deep.json").write_bytes(b"[" * 50_000)
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (folder / "latin.csv").write_bytes("größe;wert\n".encode("latin-1"))
    (folder / "a folder").mkdir()
    return folder


class Trap:
    """A pickle that tells when it is loaded."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


NAMES = (
    *RIGHT,
    "objects.npy",
    "objects.npz",
    "nan.npy",
    "cube.npy",
    "half.parquet",
    "huge.safetensors",
    "model.pt",
    "model.onnx",
    "empty.json",
    "zeros.drl",
    "broken.json.gz",
    "plain.gz",
    "deep.json",
    "picture.png",
    "latin.csv",
    "a folder",
    "nowhere.json",
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.pt", "a PyTorch file"),
        ("weights.safetensors", "a safetensors file"),
        ("model.onnx", "an ONNX file"),
        ("weights.npz", "an npz file"),
        ("array.npy", "a NumPy array"),
        ("data.parquet", "a Parquet file"),
        ("picture.png", "a picture"),
        ("right.json", "an instance"),
        ("right.drl", "the certificate of a run"),
        ("right.csv", ""),
        ("huge.safetensors", ""),
        ("zeros.drl", ""),
        ("empty.json", ""),
    ],
)
def test_kinds_of_files_are_known_by_their_beginning(name, kind, folder):
    """A file at the wrong option is named for what it is; what to do with it is said where that helps."""
    content = (folder / name).read_bytes()
    assert kind_name(content) == kind
    assert find_kind(content).startswith(kind)
    path = folder / name
    if kind and kind != "an instance":
        with pytest.raises(InputError) as raised:
            read_instance(path)
        assert str(raised.value) == f"{path}: no instance, but {kind}; `exactdrl import` writes an instance"


@pytest.mark.parametrize("name", NAMES)
def test_a_line_and_no_traceback(name, folder, capfd, monkeypatch):
    """Exit code 2, where a file is none of the kind that is needed; its name stands in the message."""
    monkeypatch.chdir(folder)
    for place, commands in COMMANDS.items():
        if place in RIGHT.get(name, ()):
            continue
        for command in commands:
            words = [word.format(name) for word in command]
            with pytest.raises(SystemExit) as stop:
                main(words)
            out, err = capfd.readouterr()
            said = f"{words}\n{out}\n{err}"
            assert "Traceback" not in out + err, said
            assert stop.value.code == 2, said
            assert name in err or "malformed" in out, said
            assert len(err.splitlines()) <= 6 and len(err) < 2000, said
            assert not [path for path in folder.iterdir() if path.name.startswith("new.")], said


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def brought_by(extra):
    """Returns the packages that an extra of exactdrl brings."""
    found = set()
    for entry in EXTRAS[extra]:
        own = re.fullmatch(r"exactdrl\[([a-z,-]+)\]", entry)
        if own:
            found |= set().union(*(brought_by(name) for name in own[1].split(",")))
        else:
            found.add(re.match(r"[A-Za-z0-9_.-]+", entry)[0].lower())
    return found


def test_messages_name_commands_that_install():
    """Whoever is told to install a package is told an extra of this project that brings it, which works in a clone."""
    told = 0
    for path in [*(ROOT / "exactdrl").rglob("*.py"), *(ROOT / "cli").glob("*.py"), *(ROOT / "tests").glob("test_*.py")]:
        text = path.read_text(encoding="utf-8")
        for package, extra in re.findall(r'import_extra\(\s*"[\w.]+",\s*"([^"]+)",\s*"([^"]+)"', text):
            assert package.lower() in brought_by(extra), (path.name, package, extra)
            told += 1
        for extra in re.findall(r'pip install [\\\']*"?\.\[([a-z-]+)\]', text):
            assert extra in EXTRAS, (path.name, extra)
            told += 1
        if path.parent.name != "tests" and path.name != "extras.py":
            # a package's own name stands beside the command for a clone
            for line in filter(lambda line: re.search(r"pip install '?[a-z]", line), text.splitlines()):
                assert "or in a clone of exactdrl: pip install" in line, (path.name, line)
    assert told > 12
