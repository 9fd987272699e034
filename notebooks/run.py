#!/usr/bin/env python3
"""Run the notebooks of this folder from top to bottom; any error fails.

The notebooks in git hold no outputs: a run leaves them as they are, and one
that has outputs is refused. --write DIR keeps the executed copies.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def stripped(notebook):
    """Whether no code cell holds an output or a count."""
    return all(
        not cell.outputs and cell.execution_count is None
        for cell in notebook.cells
        if cell.cell_type == "code"
    )


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=pathlib.Path, default=sorted(here.glob("*.ipynb")))
    parser.add_argument("--write", type=pathlib.Path, help="folder for the executed copies")
    options = parser.parse_args()
    if shutil.which("rappel") is None:
        sys.exit("run.py: rappel is not on the PATH: make build, then PATH=bin:$PATH")
    passed = failed = 0
    for path in options.notebooks:
        notebook = nbformat.read(path, as_version=4)
        if not stripped(notebook):
            print(f"{path.name}: holds outputs; clear them before committing", file=sys.stderr)
            failed += 1
            continue
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}})
            try:
                client.execute()
                passed += 1
                print(f"{path.name}: ok, {time.monotonic() - started:.0f} s")
            except CellExecutionError as error:
                failed += 1
                print(f"{path.name}: {error}", file=sys.stderr)
        if options.write:
            options.write.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, options.write / path.name)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
