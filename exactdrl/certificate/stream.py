"""The file into which a certificate is written as the walk goes.

At every instant, whatever stops the program or the machine, the file holds whole lines of a walk's beginning and
perhaps a torn rest, from which the walk can be resumed to the same bytes. That is so because lines are only ever
appended, each step's line has its place by the step's number, and what the end line says (the number of steps, the
hash) is read off the file itself, not off what the program remembers. One process writes at a time: it holds a lock on
the file.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

try:
    import fcntl
except ImportError:  # pragma: no cover - not on this platform
    fcntl = None  # type: ignore[assignment]

from exactdrl.certificate.lines import End, end_text, outcome_text, step_text
from exactdrl.exact.rationals import InputError
from exactdrl.problem.output import MachineError, raise_unwritable, refuse_existing
from exactdrl.steps.step import Outcome, Step

# A compressed certificate is a gzip member for every so many lines: whole members survive a kill, and resuming gives
# the same bytes
LINES_A_MEMBER = 256
# header, and first vertex or start
LINES_BEFORE_STEPS = 2


class CertificateFile:
    """A certificate's file, open and locked; a context, which closes it.

    An existing file is unchanged until `begin`.
    """

    def __init__(self, path: Path, *, force: bool = False, resume: bool = False) -> None:
        """Opens the file, or makes an empty one.

        Args:
            path: `*.drl` or `*.drl.gz`; a link is followed.
            force: an existing file may be written over.
            resume: an existing file may be gone on with.

        Raises:
            InputError: the name has another ending, the file exists though neither `force` nor `resume` is set,
                another process is writing it, or it cannot be written.
            MachineError: the disk is full, or the machine failed otherwise.
        """
        if not path.name.endswith((".drl", ".drl.gz")):
            raise InputError(f"{path}: a certificate's name ends in .drl or .drl.gz")
        refuse_existing(path, force=force or resume)
        self.path = path
        self._compressed = path.suffix == ".gz"
        self._is_new = not path.exists()
        # lines by their number in the file, from 0; those that the file holds may be among them
        self._lines: dict[int, bytes] = {}
        # how many lines the file holds for certain
        self._written = 0
        try:
            self._stream = _open_locked(path)
        except OSError as error:
            raise_unwritable(path, error)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the file. One that was made here, and in which nothing was begun, goes away again."""
        try:
            if self._is_new and os.fstat(self._stream.fileno()).st_size == 0 and self._is_in_place():
                self.path.unlink(missing_ok=True)
        finally:
            self._stream.close()

    def content(self) -> bytes:
        """Returns the whole lines that the file holds, uncompressed; of a compressed file those of whole members."""
        self._stream.seek(0)
        data = self._stream.read()
        text = unfold(data)[0] if self._compressed else data
        return text[: text.rfind(b"\n") + 1]

    def begin(self, beginning: bytes) -> None:
        """Makes the file hold these lines and nothing behind them.

        Args:
            beginning: whole lines: header, and first vertex or start, and perhaps steps.

        Raises:
            MachineError: the disk is full, or the machine failed otherwise.
        """
        lines = beginning.splitlines(keepends=True)
        whole = len(lines) // LINES_A_MEMBER * LINES_A_MEMBER if self._compressed else len(lines)
        kept = _fold(lines[:whole]) if self._compressed else beginning
        try:
            self._stream.seek(0)
            # what is there already is not written again, so that it cannot be lost
            same = len(kept) if self._stream.read(len(kept)) == kept else 0
            self._stream.truncate(same)
            self._put(kept[same:])
        except OSError as error:
            raise_unwritable(self.path, error)
        self._written = whole
        self._lines = dict(enumerate(lines[whole:], whole))

    def append(self, steps: Sequence[Step]) -> None:
        """Appends the lines of steps and hands them to the system; in a compressed file, every full member.

        Raises:
            MachineError: the disk is full, or the machine failed otherwise.
        """
        for step in steps:
            self._lines[LINES_BEFORE_STEPS + step.index - 1] = f"{step_text(step)}\n".encode("ascii")
        size = LINES_A_MEMBER if self._compressed else 1
        count = (self._contiguous(self._written) - self._written) // size * size
        if count:
            lines = [self._lines[number] for number in range(self._written, self._written + count)]
            try:
                self._put(_fold(lines) if self._compressed else b"".join(lines))
            except OSError as error:
                raise_unwritable(self.path, error)
            self._written += count
            self._lines = {number: line for number, line in self._lines.items() if number >= self._written}

    def finish(self, outcome: Outcome) -> int:
        """Ends the certificate with an outcome, and returns the number of its steps.

        May be called after an interrupt at any place: what the file holds is read off the file.

        Raises:
            MachineError: the disk is full, the file was taken away, or the machine failed otherwise.
        """
        try:
            return self._finish(outcome)
        except OSError as error:
            raise_unwritable(self.path, error)

    def _finish(self, outcome: Outcome) -> int:
        if not self._is_in_place():
            raise MachineError(f"{self.path}: was removed or replaced while it was written")
        self._stream.seek(0)
        data = self._stream.read()
        text, end = unfold(data) if self._compressed else (data, len(data))
        if not self._compressed:
            end = text.rfind(b"\n") + 1
            text = text[:end]
        held = text.count(b"\n")
        rest = [self._lines[number] for number in range(held, self._contiguous(held))]
        steps = held + len(rest) - LINES_BEFORE_STEPS
        rest.append(f"{outcome_text(outcome)}\n".encode("ascii"))
        digest = hashlib.sha256(text + b"".join(rest)).hexdigest()
        rest.append(f"{end_text(End(steps, digest))}\n".encode("ascii"))
        self._stream.truncate(end)
        self._put(_fold(rest) if self._compressed else b"".join(rest))
        os.fsync(self._stream.fileno())
        return steps

    def _contiguous(self, begin: int) -> int:
        """Returns the number of the first line from `begin` on that is not known here."""
        while begin in self._lines:
            begin += 1
        return begin

    def _put(self, data: bytes) -> None:
        """Writes bytes at the file's end. Where the system takes only a part of them, that part goes away again."""
        before = self._stream.seek(0, os.SEEK_END)
        view = memoryview(data)
        try:
            while view:
                view = view[self._stream.write(view) :]
        except OSError:
            self._stream.truncate(before)
            raise

    def _is_in_place(self) -> bool:
        """Returns whether the open file is still the one under the path."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._stream.fileno()))
        except OSError:
            return False


def _open_locked(path: Path) -> BinaryIO:
    """Returns a file open for reading and writing, unbuffered, and locked against other writers.

    Raises:
        InputError: another process holds the lock.
        OSError: it cannot be opened.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        stream = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # the file may have been removed between both calls
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return stream
            stream.close()
        except FileNotFoundError:
            stream.close()
        except BlockingIOError:
            stream.close()
            raise InputError(f"{path}: another process is writing this file") from None
        except BaseException:
            # an interrupt must not leave the lock behind
            stream.close()
            raise


def _fold(lines: Sequence[bytes]) -> bytes:
    """Returns lines compressed, a gzip member for every so many."""
    return b"".join(
        gzip.compress(b"".join(lines[at : at + LINES_A_MEMBER]), mtime=0) for at in range(0, len(lines), LINES_A_MEMBER)
    )


def unfold(data: bytes, limit: int | None = None) -> tuple[bytes, int]:
    """Returns what the whole members at the beginning of a compressed file hold, and how many bytes these members are.

    Args:
        data: the file's bytes.
        limit: stop once more than so many bytes are unfolded; None for no limit.
    """
    parts: list[bytes] = []
    size, rest = 0, data
    while rest and (limit is None or size <= limit):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(rest, 0 if limit is None else limit)
        except zlib.error:
            break
        if not member.eof:
            break
        parts.append(part)
        size += len(part)
        rest = member.unused_data
    return b"".join(parts), len(data) - len(rest)
