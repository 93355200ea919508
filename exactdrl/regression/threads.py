"""BLAS in the calling thread, for regressions whose matrices are large enough that it would take several.

Its threads wait for one another by spinning: with 200 columns on two busy cores a walk took 135 seconds (38 of
processor time) instead of 7 (2.3). Bounds hold for any order of summation, so that no decision depends on the number of
threads.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

# OpenBLAS takes threads from 2^18 products on, for a matrix times a matrix of so many columns each
_SMALL = 60


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread(rank: int) -> AbstractContextManager[Any]:
    """Returns a context in which BLAS takes one thread, where matrices of this rank would take more."""
    return nullcontext() if rank <= _SMALL else _controller().limit(limits=1, user_api="blas")
