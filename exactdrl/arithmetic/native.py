"""The float kernel: compiled when the package was installed, else the same functions as plain Python, which is slow.

A compiled kernel is used only if it is made of the sources that stand beside it, and if its operations round as the
proofs of proofs/filter.md ask; where it is not used, a warning says why, and what to do.
"""

import contextlib
import importlib
import os
import warnings
from types import ModuleType

from exactdrl.arithmetic.float64 import follow, kernel, sources, start
from exactdrl.arithmetic.float64.state import FloatProblem, FloatVertex
from exactdrl.arithmetic.float64.vertex import approximate_inverse

# Set to 1, the kernel runs as plain Python, and nothing warns
SWITCH = "EXACTDRL_PURE_PYTHON"
_BASELINE, _WIDE = "exactdrl.arithmetic._kernel", "exactdrl.arithmetic._kernel_avx2"
_ADVICE = (
    "the float kernel runs as plain Python, and steps are slow. To compile it, install exactdrl again, from a package"
    " index or in its folder (python -m pip install ., with -e if it was installed so). That needs a C compiler, or the"
    " package ziglang"
)


class SlowKernelWarning(RuntimeWarning):
    """The float kernel is not compiled, or not from these sources. Results are the same, but take much longer."""


def find_compiled() -> ModuleType | None:
    """Returns the compiled kernel for this processor; None where there is none to be trusted, which is warned of."""
    if os.environ.get(SWITCH):
        return None
    try:
        module = importlib.import_module(_BASELINE)
        if module.has_avx2():
            with contextlib.suppress(ImportError):
                module = importlib.import_module(_WIDE)
    except ImportError:
        warnings.warn(f"no compiled kernel was found: {_ADVICE}", SlowKernelWarning, stacklevel=2)
        return None
    if sources.digest() != module.DIGEST:
        warnings.warn(f"the kernel's sources changed since it was compiled: {_ADVICE}", SlowKernelWarning, stacklevel=2)
        return None
    if not rounds_each_operation(module):
        warnings.warn(f"the compiled kernel fuses operations: {_ADVICE}", SlowKernelWarning, stacklevel=2)
        return None
    return module


def rounds_each_operation(module: ModuleType) -> bool:
    """Returns whether a · b + c is rounded twice: (1 + 2⁻³⁰) (1 - 2⁻³⁰) rounds to 1, so that 0 is left of it."""
    return bool(module.product_and_sum(1.0 + 2.0**-30, 1.0 - 2.0**-30, -1.0) == 0.0)


_compiled = find_compiled()
IS_COMPILED = _compiled is not None
# What runs, in words
KIND = "plain Python" if _compiled is None else "compiled, AVX2" if _compiled.__name__ == _WIDE else "compiled"

load = _compiled.load if _compiled else kernel.load
begin = _compiled.begin if _compiled else kernel.begin
begin_at = _compiled.begin_at if _compiled else kernel.begin_at
walk_steps = _compiled.walk_steps if _compiled else kernel.walk_steps
follow_steps = _compiled.follow_steps if _compiled else follow.follow_steps
take_in_kinks = _compiled.take_in_kinks if _compiled else start.take_in_kinks
take_in_one = _compiled.take_in_one if _compiled else start.take_in_one


def set_up(problem: FloatProblem, vertex: FloatVertex) -> bool:
    """Computes all of a vertex whose masks and kinks have been put in; False if it is not certainly regular."""
    return bool(load(problem, vertex) and approximate_inverse(vertex) and begin(problem, vertex))
