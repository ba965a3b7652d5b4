"""The library's docstrings for Sphinx: Markdown's fences, shapes as types, links to the code."""

import importlib
import inspect
import re

from code_pages import CODE, ROOT
from sphinx.util import inspect as sphinx_inspect

# `Float[Tensor, "B T D"]` is an `Annotated` when it is asked for.
SHAPE = re.compile(r"~?(?:typing\.)?Annotated\[~?(?:typing\.)?Any, '\s*([^']*)'\]")


def convert_markdown(app, what, name, obj, options, lines):
    """Makes reStructuredText of a docstring's Markdown, in place."""
    lines[:] = convert_links(convert_tables(convert_fences(join_names(lines))))


def join_names(lines):
    """Yields the lines, those joined where the names of arguments go on in the next one."""
    begun = ""
    for line in lines:
        if re.fullmatch(r"\s*(?:\w+, )*\w+,", begun + line.strip() if begun else line):
            begun = f"{begun}{line.strip()} " if begun else f"{line} "
        else:
            yield begun + (line.strip() if begun else line)
            begun = ""


def convert_fences(lines):
    """Yields the lines, with directives for code between fences."""
    fenced = False
    for line in lines:
        text = line.lstrip()
        if text.startswith("```"):
            fenced = not fenced
            indent = line[: len(line) - len(text)]
            yield from ("", f"{indent}.. code-block:: {text.strip('`') or 'text'}") * fenced
            yield ""
        else:
            yield f"   {line}" if fenced and line else line


def convert_tables(lines):
    """Yields the lines, with directives for tables."""
    inside = False
    for line in lines:
        if not re.match(r"\|.*\|$", line):
            yield from [""] * inside
            inside = False
            yield line
        elif not re.fullmatch(r"[|:-]+", line):
            if not inside:
                yield from ("", ".. list-table::", "   :header-rows: 1", "")
            inside = True
            cells = line.strip("|").split("|")
            yield from (
                f"   {'* -' if number == 0 else '  -'} {cell.strip()}"
                for number, cell in enumerate(cells)
            )


def convert_links(lines):
    """Returns the lines with links as reStructuredText has them."""
    return [re.sub(r"\[([^]`]+)\]\((https?://[^)]+)\)", r"`\1 <\2>`__", line) for line in lines]


def write_shapes(app, what, name, obj, options, signature, returns):
    """Returns a signature in which a tensor's type is its shape."""

    def as_shape(match):
        return repr(f"({', '.join(match[1].split())})")

    if what == "class" and signature == "(*args, **kwargs)":  # of `keras.layers.Layer.__new__`
        written = sphinx_inspect.signature(obj.__init__, bound_method=True)
        signature = sphinx_inspect.stringify_signature(
            written, show_return_annotation=False, unqualified_typehints=True
        )
    return tuple(text and SHAPE.sub(as_shape, text) for text in (signature, returns))


def find_public(app, env, node, content):
    """Returns the link to a class by its public name, where a type names the file it is in."""
    name = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or not name:
        return None
    objects = env.domains["py"].objects
    for full in (f for f in objects if f.rpartition(".")[2] == name):
        return env.domains["py"].resolve_xref(
            env, node["refdoc"], app.builder, "obj", full, node, content
        )
    return None


def source_of(domain, info):
    """Returns the address of the lines of an object, from a page in `api/`."""
    thing = importlib.import_module(info["module"])
    for name in info["fullname"].split("."):
        thing = getattr(thing, name, None)
    thing = inspect.unwrap(getattr(thing, "fget", None) or thing) if thing is not None else None
    try:
        path, (_, line) = inspect.getsourcefile(thing), inspect.getsourcelines(thing)
    except (TypeError, OSError):  # a value, or a method that a dataclass wrote
        return None
    if not path.startswith(str(ROOT)):
        return None
    return f"../{CODE}{path[len(str(ROOT)) + 1 :]}.html#L{max(line, 1)}"


def setup(app):
    """Connects to Sphinx."""
    app.connect("autodoc-process-docstring", convert_markdown, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", write_shapes)
    app.connect("missing-reference", find_public)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
