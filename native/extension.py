"""Builds the compiled kernel as extension modules, with the compiler that there is, or goes on without it.

If the kernel cannot be built, the installation does not fail. The package works without the kernel, slowly, and a
warning says so when it is used. Where the kernel has to be there, as in published wheels, EXACTDRL_REQUIRE_KERNEL=1
makes the installation fail. EXACTDRL_CHECKED_KERNEL=1 makes a slow kernel for a test, which checks every index into an
array.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import platform
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from translate import translate

ROOT = Path(__file__).resolve().parent.parent
KERNEL = ROOT / "exactdrl" / "arithmetic" / "float64"
PACKAGE = "exactdrl.arithmetic"
# The last flags win: whatever comes from the environment, every operation rounds once, in the order that is written.
# errno and floating-point traps are not used here, and leaving them out changes no value
STRICT = ["-O3", "-g0", "-fno-fast-math", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
STRICT_MSVC = ["/O2", "/fp:precise"]
WIDE = "_kernel_avx2"


def is_x86() -> bool:
    """Returns whether the processor is an x86 one, of which some have AVX2 and some have not."""
    return platform.machine().lower() in {"x86_64", "amd64"} and sys.maxsize > 2**32


def kernel_extensions() -> list[Extension]:
    """Returns the kernel for every processor of this kind and, where there may be AVX2, one that uses it.

    The source that an extension names is the one from which its own source is made.
    """
    names = ["_kernel", WIDE] if is_x86() and os.name != "nt" else ["_kernel"]
    return [Extension(f"{PACKAGE}.{name}", ["native/translate.py"], optional=not is_required()) for name in names]


def is_required() -> bool:
    """Returns whether a package without the compiled kernel is a failure."""
    return bool(os.environ.get("EXACTDRL_REQUIRE_KERNEL"))


def has_compiler() -> bool:
    """Returns whether the machine has the C compiler that Python names; on Windows setuptools looks for it."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    return os.name == "nt" or shutil.which(command[0]) is not None


def has_headers() -> bool:
    """Returns whether Python's headers are there, without which nothing can be compiled for it."""
    return (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()


def read_sources() -> ModuleType:
    """Returns the module that names the kernel's sources, without the package around it."""
    spec = importlib.util.spec_from_file_location("sources", KERNEL / "sources.py")
    if spec is None or spec.loader is None:
        raise ImportError("exactdrl/arithmetic/float64/sources.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# setuptools has no annotations
class BuildKernel(build_ext):  # type: ignore[misc]
    """Makes the source in Cython, from it the source in C, and compiles that in ten seconds, unless it is there."""

    def run(self) -> None:
        """Remembers whether the modules go beside their sources: setuptools builds them elsewhere first."""
        self._goes_beside_sources = bool(self.inplace)
        super().run()

    def build_extensions(self) -> None:
        """Sets the compiler up, and builds both modules at once."""
        if not has_compiler() and importlib.util.find_spec("ziglang"):
            # as a compiler for this very processor it would use whatever that has
            compiler = [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline", "-fno-sanitize=undefined", "-fPIC"]
            self.compiler.set_executables(compiler_so=compiler, linker_so=[*compiler, "-shared"])
        self.parallel = len(self.extensions)
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        """Builds one module, unless it is beside its sources and made of them by the same means."""
        name = ext.name.rpartition(".")[2]
        is_msvc = self.compiler.compiler_type == "msvc"
        ext.extra_compile_args = list(STRICT_MSVC if is_msvc else STRICT) + (["-mavx2"] if name == WIDE else [])
        folder = ROOT / "build" / "kernel"
        folder.mkdir(parents=True, exist_ok=True)
        target = Path(self.get_ext_fullpath(ext.name))
        source, stamp, beside = folder / f"{name}.pyx", folder / f"{target.name}.stamp", KERNEL.parent / target.name
        sources = read_sources()
        checks = bool(os.environ.get("EXACTDRL_CHECKED_KERNEL"))
        text = translate(KERNEL, sources.MODULES, sources.digest(), checks=checks)
        means = [text, *ext.extra_compile_args, *map(str, getattr(self.compiler, "compiler_so", ())), sys.version]
        digest = hashlib.sha256("\0".join(means).encode()).hexdigest()
        if self._goes_beside_sources:
            if beside.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(beside, target)
                return
            stamp.unlink(missing_ok=True)
        source.write_text(text, encoding="utf-8")
        self._to_c(ext.name, source)
        ext.sources = [os.path.relpath(source.with_suffix(".c"))]
        self.force = True
        super().build_extension(ext)
        if self._goes_beside_sources:
            stamp.write_text(digest, encoding="utf-8")

    @staticmethod
    def _to_c(name: str, source: Path) -> None:
        # may be missing
        compiler: Any = importlib.import_module("Cython.Compiler.Main")
        result = compiler.compile_single(str(source), compiler.CompilationOptions(), full_module_name=name)
        if result.num_errors:
            raise OSError(f"{source}: {result.num_errors} errors of Cython's")
