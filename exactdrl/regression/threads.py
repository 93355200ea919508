"""BLAS in the calling thread, for regressions whose matrices are so large that BLAS would use several threads.

The threads of BLAS wait for one another by spinning. With 200 columns on two busy cores a walk took 135 seconds (38 of
processor time) instead of 7 (2.3). Bounds hold for any order of summation, so that no decision depends on the number of
threads.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

# up to this rank OpenBLAS uses no threads, which it does from 2^18 products of two matrices on
_SMALL = 60


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread(rank: int) -> AbstractContextManager[Any]:
    """Returns a context in which BLAS uses one thread for matrices of this rank."""
    return nullcontext() if rank <= _SMALL else _controller().limit(limits=1, user_api="blas")
