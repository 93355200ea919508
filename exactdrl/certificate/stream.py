"""Writing a certificate as the walk goes, so that a walk that is killed leaves a valid beginning."""

import gzip
import hashlib
from pathlib import Path
from typing import BinaryIO

from exactdrl.exact.rationals import InputError

# A compressed certificate is a gzip member for every so many lines: whole members survive a kill, and resuming gives
# the same bytes
LINES_A_MEMBER = 256


class LineWriter:
    """Appends lines to a certificate file.

    Every line is handed to the system at once; in a compressed file, every full member.

    Attributes:
        digest: SHA-256 of all lines so far.
    """

    def __init__(self, path: Path, beginning: bytes = b"") -> None:
        """Opens the file, with its content replaced by `beginning`.

        Args:
            path: `*.drl` or `*.drl.gz`.
            beginning: whole lines.

        Raises:
            InputError: the file cannot be written.
        """
        self._compressed = path.suffix == ".gz"
        self._pending: list[bytes] = []
        self.digest = hashlib.sha256()
        # The beginning goes into a new file that then takes the old one's place: a kill in between loses nothing
        new = path.with_name(path.name + ".new")
        try:
            self._stream: BinaryIO = new.open("wb")
            for line in beginning.splitlines(keepends=True):
                self._append(line)
            self._stream.flush()
            new.replace(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None

    def _append(self, line: bytes) -> None:
        self.digest.update(line)
        if not self._compressed:
            self._stream.write(line)
            return
        self._pending.append(line)
        if len(self._pending) == LINES_A_MEMBER:
            self._write_member()

    def _write_member(self) -> None:
        if self._pending:
            self._stream.write(gzip.compress(b"".join(self._pending), mtime=0))
            self._pending = []

    def write(self, text: str) -> None:
        """Appends one line, given without its newline."""
        self._append(text.encode("ascii") + b"\n")
        self._stream.flush()

    def close(self) -> None:
        """Closes the file; lines that wait for a full member are written."""
        self._write_member()
        self._stream.close()
