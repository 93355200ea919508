"""The documentation site: `python3 start.py docs` builds it into docs/_build."""

from pathlib import Path

import click
from exactdrl_cli.main import COMMANDS, cli

import exactdrl
from exactdrl import __version__

project = "exactdrl"
author = "The exactdrl authors"
copyright = "The exactdrl authors, MIT licence"  # noqa: A001 - Sphinx' name
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# notebooks are shown as they are stored; docs/notebooks/make.py runs them
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "exactdrl"
html_static_path: list[str] = []
exclude_patterns = ["_build", "_generated", "campaign/*"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_use_ivar = True
# pages outside docs/ are shown as they are, with links that work in the repository
suppress_warnings = ["myst.xref_missing", "myst.header", "misc.highlighting_failure", "ref.term", "ref.ref"]
linkcheck_ignore = [r"https://arxiv\.org/.*"]


def write_commands(path: Path) -> None:
    """Writes every command's help as it is printed."""
    parent = click.Context(cli, info_name="exactdrl", terminal_width=110)
    parts = []
    for name in COMMANDS:
        command = cli.get_command(parent, name)
        if command is not None:
            context = click.Context(command, info_name=name, parent=parent, terminal_width=110)
            parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(parts), encoding="utf-8")


def write_names(path: Path) -> None:
    """Writes an entry for every public name, functions first."""
    functions, classes, others = [], [], []
    for name in sorted(exactdrl.__all__, key=str.lower):
        value = getattr(exactdrl, name)
        if isinstance(value, type):
            classes.append(f".. autoclass:: {name}\n   :members:\n")
        elif callable(value):
            functions.append(f".. autofunction:: {name}\n")
        else:
            others.append(name)
    entries = ["Functions", "---------", "", *functions, "Classes", "-------", "", *classes]
    path.write_text(".. currentmodule:: exactdrl\n\n" + "\n".join(entries), encoding="utf-8")


def write_proofs(folder: Path) -> None:
    """Writes a page for each page under proofs/, which holds nothing but that."""
    for page in (folder.parent.parent / "proofs").glob("*.md"):
        text = f"```{{include}} ../../proofs/{page.name}\n```\n"
        (folder / f"{page.stem.lower()}.md").write_text(text, encoding="utf-8")


_GENERATED = Path(__file__).parent / "_generated"
write_commands(_GENERATED / "commands.md")
write_names(_GENERATED / "python.rst")
write_proofs(Path(__file__).parent / "proofs")
