"""A limit on the CPU seconds of a stretch of work, kept by the kernel."""

from collections.abc import Iterator
from contextlib import contextmanager

try:
    import resource
except ImportError:  # pragma: no cover - not on this platform
    resource = None  # type: ignore[assignment]

from exactdrl.exact.rationals import InputError


@contextmanager
def cpu_limit(seconds: int | None) -> Iterator[None]:
    """Ends this process by SIGXCPU if the body takes more CPU time than so many seconds.

    Compiled loops and big-number arithmetic see no Python signal handler for minutes; the kernel's default action needs
    none. Whoever started this process reads the limit off the signal.

    Raises:
        InputError: a limit is asked for on a platform that has none.
    """
    if seconds is None:
        yield
        return
    if resource is None:
        raise InputError("limits.seconds: this platform cannot limit CPU time")
    before, hard = resource.getrlimit(resource.RLIMIT_CPU)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    until = int(usage.ru_utime + usage.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard < 0 else min(until, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (before, hard))
