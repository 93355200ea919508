"""What happens around the mathematics: interrupts, kills, full disks, two writers, closed streams."""

import errno
import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from exactdrl import InputError, Walk, read_instance, record_walk, sample_experiment, verify, write_instance
from exactdrl.certificate import record, stream
from exactdrl.certificate.stream import CertificateFile
from exactdrl.problem.output import MachineError, new_file, write_new

TRACED = (record.__file__, stream.__file__)


def problem():
    return sample_experiment(samples=4, widths=(1, 2, 1), seed=2, bits=12)


def walk():
    return Walk(problem(), arithmetic="exact", max_steps=12)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """The certificate of a walk that nothing disturbed, by ending."""
    found = {}
    for ending in (".drl", ".drl.gz"):
        path = tmp_path_factory.mktemp("whole") / f"a{ending}"
        record_walk(walk(), path)
        found[ending] = path.read_bytes()
    return found


class _Interrupter:
    """Raises at the k-th traced line of the writing code."""

    def __init__(self, count: int) -> None:
        self.left, self.place = count, None

    def __call__(self, frame, event, _):
        if frame.f_code.co_filename not in TRACED:
            return None
        return self._line

    def _line(self, frame, event, _):
        if event == "line" and self.place is None:
            self.left -= 1
            if self.left == 0:
                self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._line


@pytest.mark.parametrize("ending", [".drl", ".drl.gz"])
@pytest.mark.parametrize("kind", ["new", "force", "resume"])
def test_interrupt_at_every_line(tmp_path, whole, ending, kind, monkeypatch):
    """A KeyboardInterrupt at any line of record.py and stream.py leaves a file that is resumed to the same bytes."""
    monkeypatch.setattr(record, "_STEPS_AT_ONCE", 3)
    monkeypatch.setattr(stream, "LINES_A_MEMBER", 4)
    path, count = tmp_path / f"a{ending}", 0
    record_walk(walk(), path)
    expected = path.read_bytes()
    before = b"old" if kind == "force" else None
    if kind == "resume":
        path.unlink()
        record_walk(Walk(problem(), arithmetic="exact", max_steps=2), path)
        before = path.read_bytes()
    for number in range(1, 2000):
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
        interrupter = _Interrupter(number)
        sys.settrace(interrupter)
        try:
            record_walk(walk(), path, force=kind == "force", resume=kind == "resume")
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        if interrupter.place is None:
            break
        count += 1
        if kind == "force" and path.exists() and path.read_bytes() == before:
            continue
        record_walk(walk(), path, resume=True)
        assert path.read_bytes() == expected, interrupter.place
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert count > 60


CALLS = ["write", "truncate", "fsync", "seek", "flock", "open"]


class _Failing:
    """Lets the k-th call of one system call fail."""

    def __init__(self, name: str, number: int, code: int) -> None:
        self.name, self.left, self.code, self.has_failed = name, number, code, False

    def check(self, name: str) -> None:
        if name == self.name and not self.has_failed:
            self.left -= 1
            if self.left == 0:
                self.has_failed = True
                raise OSError(self.code, os.strerror(self.code))


class _Stream:
    """A file whose calls may fail, and which takes few bytes at once."""

    def __init__(self, real, failing: _Failing) -> None:
        self._real, self._failing = real, failing

    def write(self, data) -> int:
        self._failing.check("write")
        return self._real.write(bytes(data)[:97])

    def truncate(self, size: int) -> int:
        self._failing.check("truncate")
        return self._real.truncate(size)

    def seek(self, *arguments) -> int:
        self._failing.check("seek")
        return self._real.seek(*arguments)

    def __getattr__(self, name):
        return getattr(self._real, name)


@pytest.mark.parametrize("ending", [".drl", ".drl.gz"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EFBIG])
@pytest.mark.parametrize("name", ["write", "truncate", "fsync", "seek"])
def test_every_call_fails_in_turn(tmp_path, whole, monkeypatch, name, code, ending):
    """Whichever write, truncation, seek or fsync fails: a message, and a file that is resumed to the same bytes."""
    opened, path, count = stream._open_locked, tmp_path / f"a{ending}", 0
    for number in range(1, 200):
        path.unlink(missing_ok=True)
        failing = _Failing(name, number, code)
        monkeypatch.setattr(stream, "_open_locked", lambda p, f=failing: _Stream(opened(p), f))
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd, f=failing, r=real: (f.check("fsync"), r(fd)))
        try:
            record_walk(walk(), path)
        except (MachineError, OSError) as error:
            assert failing.has_failed
            assert isinstance(error, MachineError), repr(error)
            assert os.strerror(code) in str(error)
        monkeypatch.undo()
        if not failing.has_failed:
            break
        count += 1
        record_walk(walk(), path, resume=True)
        assert path.read_bytes() == whole[ending]
    assert count >= 1


def test_kills(tmp_path, whole):
    """After a kill the file holds the first bytes of the whole one, any number of them, and is resumed."""
    for ending, content in whole.items():
        path = tmp_path / f"a{ending}"
        for size in range(0, len(content) + 1, 7):
            path.write_bytes(content[:size])
            record_walk(walk(), path, resume=True)
            assert path.read_bytes() == content, (ending, size)


def test_power_loss(tmp_path, whole):
    """Blocks that did not reach the disk read as zeros: what stands before them is gone on from."""
    content = whole[".drl"]
    path = tmp_path / "a.drl"
    for size in range(300, len(content), 11):
        path.write_bytes(content[:size] + bytes(len(content) - size))
        record_walk(walk(), path, resume=True)
        assert path.read_bytes() == content, size
        path.write_bytes(content[:size] + bytes(20) + content[size + 20 :])
        record_walk(walk(), path, resume=True)
        assert path.read_bytes() == content, size


def test_two_writers(tmp_path):
    """A file that is being written is refused to a second writer, whatever it asks for, and stays as it is."""
    path = tmp_path / "a.drl"
    with CertificateFile(path) as file:
        file.begin(b"one\ntwo\n")
        for options in ({"resume": True}, {"force": True}):
            with pytest.raises(InputError, match="another process is writing"):
                record_walk(walk(), path, **options)
        assert path.read_bytes() == b"one\ntwo\n"
    record_walk(walk(), path, force=True)


def test_taken_away(tmp_path):
    """A file that is removed, or replaced, while it is written is never said to be done."""
    for other in (None, b"another\n"):
        path = tmp_path / "a.drl"

        def on_step(_, path=path, other=other):
            path.unlink(missing_ok=True)
            if other is not None:
                path.write_bytes(other)

        with pytest.raises(MachineError, match="removed or replaced"):
            record_walk(walk(), path, force=True, on_step=on_step)
        assert (path.read_bytes() if path.exists() else None) == other


def test_links_are_followed(tmp_path, whole):
    """A symbolic link as output is written through, not replaced."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "a.drl"
    link.symlink_to(tmp_path / "real" / "b.drl")
    record_walk(walk(), link)
    assert link.is_symlink()
    assert (tmp_path / "real" / "b.drl").read_bytes() == whole[".drl"]
    json = tmp_path / "a.json"
    json.symlink_to(tmp_path / "real" / "b.json")
    write_instance(problem(), json, force=True)
    assert json.is_symlink()
    assert read_instance(tmp_path / "real" / "b.json") == problem()


def test_whole_or_not_at_all(tmp_path):
    """An output whose writing fails leaves the old file, and nothing else."""
    path = tmp_path / "a.json"
    write_new(path, b"old", force=False)
    for error in (OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()):
        with pytest.raises((MachineError, KeyboardInterrupt, ValueError)), new_file(path, force=True) as partial:
            partial.write_bytes(b"half")
            raise error
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace"])
def test_every_call_of_an_output_fails(tmp_path, monkeypatch, name, code):
    """Whichever call fails on the way to an output's final name: a message, the old file, and nothing beside it."""
    path = tmp_path / "a.json"
    write_new(path, b"old", force=False)

    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    if name == "write":
        monkeypatch.setattr(Path, "write_bytes", fail)
    elif name == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, name, fail)
    with pytest.raises(MachineError, match=os.strerror(code)):
        write_new(path, b"new", force=True)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


# -- the command line


def run(*arguments, **options):
    command = [sys.executable, "-m", "exactdrl_cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def shell(text: str, cwd: Path) -> subprocess.CompletedProcess:
    python = f"{sys.executable} -m exactdrl_cli"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    script = text.replace("EXACTDRL", python)
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, cwd=cwd, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cli")
    write_instance(problem(), path / "a.json")
    record_walk(walk(), path / "a.drl")
    return path


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("EXACTDRL walk a.json -o b.drl --force > /dev/full", 4, "No space left on device"),
        ("EXACTDRL walk a.json -o b.drl --force >&-", 4, ""),
        ("EXACTDRL walk a.json -o b.drl --force 2>&-", 0, ""),
        ("EXACTDRL show a.json a.drl --json > /dev/full", 4, "No space left on device"),
        ("EXACTDRL minimum nothing.json 2> /dev/full", 2, ""),
        ("EXACTDRL minimum a.json --json | true; exit ${PIPESTATUS[0]}", None, ""),
        (f"EXACTDRL minimum {'a' * 300}.json", 2, "File name too long"),
        (f"EXACTDRL walk a.json -o {'a' * 300}.drl", 2, "File name too long"),
        ("EXACTDRL minimum $'\\xff.json'", 2, "cannot be read"),
        ("ulimit -v 300000; EXACTDRL walk a.json -o b.drl --force", None, ""),
        ("ulimit -v 220000; EXACTDRL walk a.json -o b.drl --force", 4, "too little memory"),
        ("ulimit -v 100000; EXACTDRL walk a.json -o b.drl --force", 4, "too little memory"),
        ("ulimit -n 6; EXACTDRL show a.json a.drl", None, ""),
        ("EXACTDRL show a.json a.drl <&-", 0, ""),
        ("EXACTDRL show a.json a.drl >&- 2>&-", 4, ""),
        ("ulimit -f 0; trap '' XFSZ; EXACTDRL walk a.json -o c.drl", 4, "File too large"),
        ("ulimit -f 0; trap '' XFSZ; EXACTDRL sample -o c.json", 4, "File too large"),
    ],
)
def test_exit_codes(folder, text, code, words):
    """1 means that a claim is false, and nothing else; the environment's errors have their own code, no traceback."""
    done = shell(text, folder)
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    assert done.returncode != 1
    if code is not None:
        assert done.returncode == code, (done.returncode, done.stderr)
    assert words in done.stderr
    assert not (folder / "c.json").exists()
    assert not list(folder.glob(".*"))


class Certificate(RuleBasedStateMachine):
    """One certificate under all that can happen to it: in the end it is resumed to the same bytes."""

    ending = st.sampled_from([".drl", ".drl.gz"])

    @initialize(ending=ending)
    def begin(self, ending):
        self.folder = Path(os.environ["EXACTDRL_TEST_FOLDER"])
        self.path = self.folder / f"m{ending}"
        self.path.unlink(missing_ok=True)
        whole = self.folder / f"whole{ending}"
        if not whole.exists():
            record_walk(walk(), whole)
        self.whole = whole.read_bytes()

    @rule(steps=st.integers(0, 12))
    def start_or_resume(self, steps):
        record_walk(Walk(problem(), arithmetic="exact", max_steps=steps), self.path, resume=True)

    @rule(number=st.integers(1, 150))
    def interrupt(self, number):
        sys.settrace(_Interrupter(number))
        try:
            record_walk(walk(), self.path, resume=True)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)

    @precondition(lambda self: self.path.exists())
    @rule(share=st.floats(0, 1))
    def kill_or_truncate(self, share):
        content = self.path.read_bytes()
        self.path.write_bytes(content[: int(len(content) * share)])

    @precondition(lambda self: self.path.exists())
    @rule(force=st.booleans())
    def second_writer(self, force):
        with CertificateFile(self.path, resume=True):
            digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
            with pytest.raises(InputError):
                record_walk(walk(), self.path, force=force, resume=not force)
            assert hashlib.sha256(self.path.read_bytes()).hexdigest() == digest

    @rule()
    def force(self):
        record_walk(walk(), self.path, force=True)
        assert self.path.read_bytes() == self.whole

    @rule(number=st.integers(1, 12), name=st.sampled_from(["write", "truncate", "seek"]))
    def full_disk(self, number, name):
        opened = stream._open_locked
        stream._open_locked = lambda path: _Stream(opened(path), _Failing(name, number, errno.ENOSPC))
        try:
            record_walk(walk(), self.path, resume=True)
        except (MachineError, OSError):
            pass
        finally:
            stream._open_locked = opened

    def teardown(self):
        if hasattr(self, "path"):
            record_walk(walk(), self.path, resume=True)
            assert self.path.read_bytes() == self.whole


def test_certificate_machine(tmp_path, monkeypatch):
    """Starts, interrupts, kills, second writers, truncations and full disks in any order."""
    monkeypatch.setenv("EXACTDRL_TEST_FOLDER", str(tmp_path))
    run_state_machine_as_test(Certificate, settings=settings(max_examples=40, stateful_step_count=12, deadline=None))
    path = tmp_path / "m.drl"
    if path.exists():
        write_instance(problem(), tmp_path / "a.json")
        assert verify(tmp_path / "a.json", path).status == "accepted"


def test_compressed_members(tmp_path, whole):
    """A compressed certificate unfolds to the plain one."""
    assert gzip.decompress(whole[".drl.gz"]) == whole[".drl"]
