"""Which modules are compiled together, and the digest by which a compiled kernel is known to be made of them."""

import hashlib
from pathlib import Path

# In the order in which they import each other; `arrays.py` and `problem.py` are Python's alone
MODULES = (
    "state",
    "scan",
    "coefficients",
    "groups",
    "vertex",
    "structure",
    "cancel",
    "slopes",
    "leave",
    "start",
    "follow",
    "kernel",
)


def digest() -> str:
    """Returns the SHA-256 of the modules as they are now.

    Raises:
        OSError: they cannot be read.
    """
    folder = Path(__file__).parent
    return hashlib.sha256(b"\0".join((folder / f"{name}.py").read_bytes() for name in MODULES)).hexdigest()
