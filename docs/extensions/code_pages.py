"""Pages of the code, and a link to its page from each path in backticks.

A page that names `keras_attention/ops/attention.py` in backticks links to the code of that file.
Only files that a page links to have a page.
"""

from pathlib import Path

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

ROOT = Path(__file__).parents[2]
CODE = "code/"  # the folder of the site


def is_code(path):
    """Whether a text is the path of a Python file of the packages or scripts, from the root."""
    inside = path.startswith(("keras_attention/", "zoo/", "scripts/")) and path.endswith(".py")
    return inside and ".." not in path and (ROOT / path).is_file()


def link_paths(app, doctree, docname):
    """Makes links of the paths of a page, and notes which files have to have a page."""
    if app.builder.format != "html":
        return
    for literal in list(doctree.findall(nodes.literal)):
        path = literal.astext()
        if is_code(path) and not isinstance(literal.parent, nodes.reference):
            uri = app.builder.get_relative_uri(docname, CODE + path)
            link = nodes.reference("", "", internal=True, refuri=uri)
            literal.replace_self(link)
            link += literal
    for link in doctree.findall(nodes.reference):
        path = link.get("refuri", "").partition("#")[0].removesuffix(".html")
        path = path.removeprefix("../").removeprefix(CODE)
        if is_code(path):
            app.env.code_paths.add(path)


def pages_of_code(app):
    """Yields the page of each file that is linked to: its name, its context and its template."""
    formatter = HtmlFormatter(linenos="inline", lineanchors="L", cssclass="highlight")
    for path in sorted(app.env.code_paths):
        code = highlight((ROOT / path).read_text(encoding="utf-8"), PythonLexer(), formatter)
        # Sphinx counts anchors as `L-1`; those of GitHub, which people know, are `L1`.
        code = code.replace('id="L-', 'id="L').replace('name="L-', 'name="L')
        body = f'<section class="code-page"><h1><code>{path}</code></h1>{code}</section>'
        yield CODE + path, {"title": path, "body": body}, "page.html"


def remember(app):
    """Keeps what an earlier build linked to, whose unchanged pages are not read again."""
    if not hasattr(app.env, "code_paths"):
        app.env.code_paths = set()


def setup(app):
    """Connects to Sphinx."""
    app.connect("builder-inited", remember)
    app.connect("doctree-resolved", link_paths)
    app.connect("html-collect-pages", pages_of_code)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
