"""How Sphinx builds the site: `sphinx-build -n -W --keep-going docs build/site`.

No network is needed to build it or to read it: formulas are set by Node while it is built, and the
fonts of KaTeX are in `_static/katex`. A learning page is a program, `learn/NN_name.py`, which runs
in a process of its own when it or this file has changed.
"""

import os
import sys
from pathlib import Path

from sphinxcontrib import katex

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent / "extensions")]
os.environ.setdefault("KERAS_BACKEND", "torch")

from docstrings import source_of

from keras_attention.version import __version__

project = "Keras Attention"
author = copyright = "The Keras Attention authors"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.linkcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.katex",
    # in extensions/
    "accessible",
    "code_pages",
    "docstrings",
    "explorers",
    "figures",
    "public",
]
exclude_patterns = ["conf.py", "extensions", "_static"]
nitpicky = True

# Markdown, and learning pages
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
# benchmarks.md has no second level; results.md and faithfulness.md link to folders of their names.
suppress_warnings = ["myst.header", "myst.xref_ambiguous"]
highlight_language = "default"
nb_custom_formats = {".py": "notebooks.read_page"}
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = "remove"  # progress and warnings of backends; an error fails the build
nb_code_prompt_show = "Show the solution"
nb_code_prompt_hide = "Hide the solution"
copybutton_exclude = ".linenos, .gp, .go"

# Formulas: a wrong one fails the build. Node may start slowly where other programs run.
katex.KATEX_DEFAULT_OPTIONS["throwOnError"] = True
katex_prerender = True
katex_css_path = "katex/katex.min.css"
katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60

# The API, from docstrings, which are Markdown of the kind that `docstrings` makes readable
default_role = "code"
add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Call arguments", "params_style"), ("Output", "returns_style")]
linkcode_resolve = source_of
# What others document is not looked up, because a build needs no network.
nitpick_ignore_regex = [
    ("py:.*", r"(?!keras_attention\.|zoo\.).*"),
    # Types that only files of the library pass to each other, and aliases of Python's.
    (
        "py:class",
        r"keras_attention\..*\.(Memory|MemoryAttention|Piece|Slot|Softmax|TaggedWords|Text)",
    ),
    ("py:class", r"zoo\.harness\..*\.(Player|StopEarly)"),
]

html_theme = "furo"
html_title = "Keras Attention"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
