"""Says what pyproject.toml cannot: native/extension.py compiles the float kernel of the filtered arithmetic."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).parent / "native"))
from extension import BuildKernel, kernel_extensions

setup(cmdclass={"build_ext": BuildKernel}, ext_modules=kernel_extensions())
