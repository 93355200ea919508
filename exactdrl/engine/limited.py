"""A limit on the CPU seconds of a stretch of work, which the operating system enforces."""

from collections.abc import Iterator
from contextlib import contextmanager

try:
    import resource
except ImportError:  # pragma: no cover - not on this platform
    resource = None  # type: ignore[assignment]

from exactdrl.exact.rationals import InputError


@contextmanager
def cpu_limit(seconds: int | None) -> Iterator[None]:
    """Ends this process by the signal SIGXCPU if the body takes more than so many CPU seconds.

    During compiled loops and big-number arithmetic no Python signal handler runs for minutes; the operating system's
    default action needs no handler. The process that started this one recognises the limit by the signal.

    Args:
        seconds: the limit; None for no limit.

    Raises:
        InputError: a limit is asked for on a platform that cannot limit CPU time.
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
