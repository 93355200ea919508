"""Files that are written whole or not at all.

An output has its final name only once it is complete and on the disk. It is written under another name in the same
folder, flushed, and renamed. Whatever happens before that (an interrupt, a kill, a full disk) leaves a file that was
there before as it is.
"""

import errno
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from exactdrl.exact.rationals import InputError

# errors whose cause is the machine, not the path
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPIPE}


# functions that are called with the path of every temporary file and folder, so that another process can remove these
# after a kill
temporary_listeners: list[Callable[[Path], None]] = []

# the path that stands for standard input or standard output
STREAM = Path("-")


class MachineError(Exception):
    """The machine failed, not the input: a disk is full, a stream is closed, or a file was removed meanwhile."""


def raise_unwritable(path: Path, error: OSError) -> NoReturn:
    """Raises the error that a failed writing of a file means.

    Raises:
        MachineError: the disk is full, or the machine failed otherwise.
        InputError: the path cannot be written.
    """
    message = f"{path}: cannot be written ({error.strerror or error})"
    raise (MachineError if error.errno in _MACHINE else InputError)(message) from None


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuses an output path that exists, or whose folder does not.

    Raises:
        InputError: the path exists and `force` is not set, it is a folder, its folder does not exist, or the system
            refuses the name.
    """
    if path == STREAM:
        return
    try:
        is_folder, exists, has_parent = path.is_dir(), path.exists(), path.parent.is_dir()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be written ({reason})") from None
    if is_folder:
        raise InputError(f"{path}: this is a folder; the name of a file is needed")
    if exists and not force:
        raise InputError(f"{path}: this file exists already (--force writes over it)")
    if not has_parent:
        raise InputError(f"{path}: the folder {path.parent} does not exist")


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Yields a temporary path to write to; when the body ends, the file takes its final name. A link is followed.

    For the path `-` the written bytes go to standard output instead.

    Raises:
        InputError: see `refuse_existing`; or the file cannot be written.
        MachineError: the disk is full, or the machine failed otherwise.
    """
    refuse_existing(path, force=force)
    if path == STREAM:
        with temporary_folder() as folder:
            yield folder / "output"
            sys.stdout.buffer.write((folder / "output").read_bytes())
        return
    target = path.resolve()
    # the name is kept whole, since its ending says which kind of file it is
    partial = target.with_name(f".{os.getpid()}.partial.{target.name[-200:]}")
    _tell(partial)
    try:
        try:
            yield partial
            _flush_to_disk(partial)
            partial.replace(target)
        except OSError as error:
            raise_unwritable(path, error)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yields a new folder that is removed when the body ends."""
    with tempfile.TemporaryDirectory(prefix="exactdrl-") as name:
        _tell(Path(name))
        yield Path(name)


def _tell(path: Path) -> None:
    for listener in temporary_listeners:
        listener(path)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, content: bytes, *, force: bool) -> None:
    """Writes a whole new file.

    Raises:
        InputError: see `refuse_existing`; or the file cannot be written.
        MachineError: the disk is full, or the machine failed otherwise.
    """
    with new_file(path, force=force) as partial:
        partial.write_bytes(content)
