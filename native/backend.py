"""Has the build backend of setuptools ask for a C compiler from the package index where the machine has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from extension import has_compiler, has_headers
from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Mapping[str, Any] | None


def compilers() -> list[str]:
    """Returns what has to be installed to compile."""
    return ["ziglang"] if has_headers() and not has_compiler() else []


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Returns what building a wheel takes beyond pyproject.toml."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *compilers()]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """Returns what an editable installation takes beyond pyproject.toml."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *compilers()]
