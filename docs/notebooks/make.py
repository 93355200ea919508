"""Runs the notebooks again and keeps what they print: python docs/notebooks/make.py [NAME ...].

The site shows the notebooks as they are stored. A test runs them, too, and compares what they print.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Returns a notebook after a run in a folder, without what differs from run to run."""
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not is_bar(output)]
    book.metadata.pop("language_info", None)
    return book


def is_bar(output: nbformat.NotebookNode) -> bool:
    """Returns whether an output is what a progress bar leaves: nothing."""
    return output.output_type == "display_data" and not output.data.get("text/html", "-")


def printed(book: nbformat.NotebookNode) -> Iterator[tuple[str, list[str]]]:
    """Yields for each cell that prints the same in every run its name and what it prints, pictures aside."""
    for cell in book.cells:
        if cell.cell_type == "code" and "varies" not in cell.metadata.get("tags", []):
            outputs = (o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs)
            yield cell.id, [text for text in outputs if "Figure" not in text]


def main() -> None:
    """Runs the notebooks that are named, or all."""
    names = sys.argv[1:] or [path.stem for path in sorted(FOLDER.glob("*.ipynb"))]
    for name in names:
        path = FOLDER / f"{name}.ipynb"
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(run(path, Path(folder)), path)


if __name__ == "__main__":
    main()
