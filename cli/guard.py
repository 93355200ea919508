"""A process beside the program that answers an interrupt where the program cannot.

Python looks at signals between two of its own instructions, so that an interrupt waits for the end of a long exact
step: one determinant of 600 rows in FLINT takes minutes. Nothing that runs in the program's own process under Python's
lock can help. So the program begins by forking a small process, the guard. The operating system calls Python's signal
handler at once, and that writes a byte into a pipe which the guard reads. If the program has not ended by itself two
seconds later, the guard ends it with exit code 3 and says so.

A kill at any instant leaves a certificate valid (`exactdrl.certificate.stream`). Any other output has its final name
only once it is whole. The program tells the guard the paths of files that are still being written and of temporary
folders. When the program has ended, in whatever way, the guard removes those that are left.
"""

import _thread
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

# seconds between an interrupt and the end of the program
GRACE = 2.0
# the exit code of what was stopped
STOPPED = 3
_SECONDS_TO_END = 1.0
_SECONDS_TO_FINALISE = 0.01
_MESSAGE = b"interrupted in the middle of one long exact step; a certificate is valid so far, and --resume goes on\n"
_CHUNK = 65536
# bytes of address space that loading the libraries takes
_MEMORY = 250 * 2**20
_MOST_DESCRIPTORS = 65536


class _State:
    """What the program knows of its guard: whether an interrupt came, and the pipe to the guard."""

    def __init__(self) -> None:
        self.is_interrupted = False
        self.pipe: int | None = None


_state = _State()


def start_guard() -> None:
    """Starts the guard, and lets interrupts raise KeyboardInterrupt.

    Nothing is changed where interrupts are ignored (`nohup`, a script's background jobs). Where no process can be
    forked, an interrupt waits for the end of a long step.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        return
    signal.signal(signal.SIGINT, _interrupt)
    if not hasattr(os, "fork"):
        return
    try:
        reading, writing = os.pipe()
    except OSError:
        return
    # an interrupt in between would be handled by both
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        program = os.getpid()
        try:
            is_guard = os.fork() == 0
        except OSError:
            os.close(reading)
            os.close(writing)
            return
        if is_guard:
            os.close(writing)
            _watch(reading, program)
        os.close(reading)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        _state.pipe = writing
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    sys.unraisablehook = _pass_on


def is_interrupted() -> bool:
    """Returns whether an interrupt came, whatever became of its exception."""
    return _state.is_interrupted


def allow_end() -> None:
    """Lets the guard end this process with the exit code of what was stopped.

    The number of SIGQUIT is that exit code, so `_exit` itself serves as the signal's handler: it runs at once, without
    Python. Where that cannot be had, the guard kills the process.
    """
    if _state.pipe is None or signal.SIGQUIT != STOPPED:
        return
    try:
        import ctypes  # noqa: PLC0415 - help comes without it

        library = ctypes.CDLL(None)
        library.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        library.signal(signal.SIGQUIT, ctypes.cast(library._exit, ctypes.c_void_p))  # noqa: SLF001 - the function's name
    except (ImportError, OSError, AttributeError):
        return


def check_memory() -> None:
    """Refuses to load the libraries where the address space is limited to less than they need.

    OpenBLAS would end the whole program with exit code 1, which says that a claim is false. It is told to use one
    thread, since each thread reserves address space.

    Raises:
        MemoryError: the address space is too small.
    """
    try:
        import resource  # noqa: PLC0415 - not on every platform
    except ImportError:
        return
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return
    import mmap  # noqa: PLC0415 - seldom needed

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        mmap.mmap(-1, _MEMORY).close()
    except (OSError, ValueError):
        raise MemoryError from None


def tell_temporary(path: Path) -> None:
    """Tells the guard a path that must not outlive this process."""
    if _state.pipe is not None:
        with suppress(OSError):
            os.write(_state.pipe, os.fsencode(path).hex().encode("ascii") + b"\n")


def end_guard() -> None:
    """Ignores interrupts from here on, since all is done and the exit code is decided."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    _state.is_interrupted = True
    raise KeyboardInterrupt


def _pass_on(problem: "sys.UnraisableHookArgs") -> None:
    """Raises an interrupt again that came where Python drops exceptions, for example in a finalizer."""
    if issubclass(problem.exc_type, KeyboardInterrupt):
        # by a thread: what is raised in this function would be dropped as well
        _thread.start_new_thread(_interrupt_soon, ())
    else:
        sys.__unraisablehook__(problem)


def _interrupt_soon() -> None:
    time.sleep(_SECONDS_TO_FINALISE)
    _thread.interrupt_main()


def _watch(pipe: int, program: int) -> NoReturn:
    """Works as the guard until the program has ended; see the module."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        _close_others(pipe)
        told, is_late = _read(pipe)
        if is_late:
            with suppress(OSError):
                os.write(2, _MESSAGE)
            _end(pipe, program)
        _remove(told)
    finally:
        os._exit(0)


def _close_others(pipe: int) -> None:
    """Closes all that the program has open but stderr, so that no reader of its results waits for the guard."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    os.closerange(3, pipe)
    os.closerange(pipe + 1, _MOST_DESCRIPTORS)


def _read(pipe: int) -> tuple[bytes, bool]:
    """Reads until the program ends or is late; returns what it told, and whether it is late."""
    told, deadline = b"", None
    while True:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        if not select.select([pipe], [], [], left)[0]:
            return told, True
        data = os.read(pipe, _CHUNK)
        if not data:
            return told, False
        # a signal arrives as the byte of its number, which is no hexadecimal digit
        told += data.replace(bytes([signal.SIGINT]), b"")
        if bytes([signal.SIGINT]) in data and deadline is None:
            deadline = time.monotonic() + GRACE


def _end(pipe: int, program: int) -> None:
    for number in (signal.SIGQUIT, signal.SIGKILL):
        if os.getppid() != program:
            return
        os.kill(program, number)
        if select.select([pipe], [], [], _SECONDS_TO_END)[0] and not os.read(pipe, _CHUNK):
            return


def _remove(told: bytes) -> None:
    """Removes what the program has left of the paths that it told."""
    for line in told.split(b"\n"):
        path = Path(os.fsdecode(bytes.fromhex(line.decode("ascii"))))
        if not line or not path.exists():
            continue
        if path.is_dir():
            import shutil  # noqa: PLC0415 - seldom needed

            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
