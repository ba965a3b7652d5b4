"""Makes a notebook of each learning page, for Colab, Kaggle and Jupyter.

python docs/extensions/notebooks.py build/notebooks --install "keras-attention[plots,torch]"

The first cell installs what `--install` names, by `%pip`; the second chooses the backend. The pages
are the only source: notebooks are made, and never edited.
"""

import argparse
import re
from pathlib import Path

import jupytext
import nbformat

PAGES = sorted((Path(__file__).parents[1] / "learn").glob("[0-9]*.py"))
BACKEND = """import os

os.environ["KERAS_BACKEND"] = "torch"  # or "jax" or "tensorflow", before Keras is imported"""

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def read_page(program: str) -> nbformat.NotebookNode:
    """Returns the cells of a learning page, without the docstring of the program."""
    notebook = jupytext.reads(program, fmt="py:percent")
    if notebook.cells and notebook.cells[0].source.startswith('"""'):
        del notebook.cells[0]
    notebook.metadata["kernelspec"] = KERNEL
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def make_notebook(page: Path, requirement: str) -> nbformat.NotebookNode:
    """Returns the notebook of a page, which installs `requirement` and chooses the backend."""
    notebook = read_page(page.read_text(encoding="utf-8"))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\((\d\d_\w+)\.py\)", r"](\1.ipynb)", cell.source)
        cell.metadata.pop("mystnb", None)
        if "hide-cell" in cell.metadata.get("tags", ()):
            cell.metadata["jupyter"] = {"source_hidden": True}
            cell.metadata["cellView"] = "form"  # Colab's word for it
    title = [cell for cell in notebook.cells if cell.cell_type == "markdown"][:1]
    first = [
        nbformat.v4.new_code_cell(f'%pip install --quiet "{requirement}"'),
        nbformat.v4.new_code_cell(BACKEND),
    ]
    rest = [cell for cell in notebook.cells if cell not in title]
    notebook.cells = [*title, *first, *rest]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # the same each time
    return notebook


def main(arguments: list[str] | None = None) -> None:
    """Writes the notebooks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where to write them")
    parser.add_argument("--install", required=True, help="what the first cell gives to pip")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        path = options.folder / page.with_suffix(".ipynb").name
        nbformat.write(make_notebook(page, options.install), path)
        print(path)


if __name__ == "__main__":
    main()
