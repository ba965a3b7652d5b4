"""The page on which a visitor tries the model: one document, which asks this server alone."""

import html
from pathlib import Path
from string import Template

from keras_attention.explain.pages import document


def make_page(title: str) -> tuple[str, str]:
    """Returns the page and its content security policy.

    The browser itself refuses any other script, and requests to other servers. The attention is
    shown in a frame, which inherits the policy and so needs the hashes of its own parts in it.

    Args:
        title: the name of the model.
    """
    style, script, page = (
        Path(__file__).with_name(f"page.{kind}").read_text(encoding="utf-8")
        for kind in ("css", "js", "html")
    )
    frame_style, frame_script = document.digests()
    policy = "; ".join(
        [
            "default-src 'none'",
            "connect-src 'self'",
            "img-src data:",
            f"style-src {document.digest(style)} {frame_style}",
            f"script-src {document.digest(script)} {frame_script}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    title = html.escape(title)
    return Template(page).substitute(title=title, style=style, script=script), policy
