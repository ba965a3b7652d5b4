"""Figures of learning pages without what the last line of their cell returned."""

import re

from docutils import nodes

REPR = re.compile(r"[\[({]*(?:<matplotlib\.|Text\()")  # of matplotlib's objects


def drop_returned(app, doctree):
    """Takes `Text(0.5, 1.0, ...)` and the like out of the outputs of cells."""
    for block in list(doctree.findall(nodes.literal_block)):
        inside = block.parent
        while inside is not None and "cell_output" not in inside.get("classes", ()):
            inside = inside.parent
        if inside is not None and REPR.match(block.astext()):
            block.parent.remove(block)


def setup(app):
    """Connects to Sphinx."""
    app.connect("doctree-read", drop_returned)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
