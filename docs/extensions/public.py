"""The directive `public`: every public name of a module, so that no page has to list them."""

import importlib
import inspect

from sphinx.util.docutils import SphinxDirective


def names_of(module, inside=""):
    """Returns the names in `module.__all__` to document, of the things that are defined `inside`.

    Modules have pages of their own, and what such a module offers stands there.
    """
    things = {name: getattr(module, name) for name in module.__all__}
    elsewhere = {
        name
        for thing in things.values()
        if inspect.ismodule(thing)
        for name in getattr(thing, "__all__", ())
        if getattr(thing, name) is things.get(name)
    }
    return [
        name
        for name, thing in things.items()
        if not inspect.ismodule(thing)
        and name not in elsewhere
        and name != "__version__"
        and getattr(thing, "__module__", "").startswith(inside)
    ]


class Public(SphinxDirective):
    """`.. public:: keras_attention.layers attention` documents what is defined in that folder."""

    required_arguments = 1
    optional_arguments = 1

    def run(self):
        """Returns the entries, made by autodoc."""
        module = importlib.import_module(self.arguments[0])
        lines = []
        for name in names_of(module, ".".join(self.arguments) if self.arguments[1:] else ""):
            thing = getattr(module, name)
            kind = "class" if inspect.isclass(thing) else "function" if callable(thing) else "data"
            lines += [f".. auto{kind}:: {module.__name__}.{name}"]
            lines += ["   :members:", ""] if kind == "class" else [""]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    """Adds the directive."""
    app.add_directive("public", Public)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
