"""What the theme's pages lack for keyboards and screen readers, by axe-core."""

BODY = {
    "<pre><span></span>": '<pre tabindex="0"><span></span>',  # keys have to reach what scrolls
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
    '<div class="cell_output ': '<div tabindex="0" class="cell_output ',  # wide figures
    ' aria-label="Toggle hidden content"': "",  # what is written there says more
}


def complete(app, pagename, templatename, context, doctree):
    """Changes the parts of a page before it is put together."""
    for incomplete, whole in BODY.items():
        context["body"] = context.get("body", "").replace(incomplete, whole)
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )


def setup(app):
    """Connects to Sphinx, after the theme."""
    app.connect("html-page-context", complete, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
