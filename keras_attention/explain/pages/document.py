"""The HTML document that shows data, and keeps them from being anything else than data."""

import base64
import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

_PARTS = ("weights", "items", "reasons", "view")  # of the script, in their order


def make_document(data: dict[str, Any]) -> str:
    """Returns the page in which `page.js` shows data, complete: it fetches nothing.

    The browser itself refuses whatever is not in the document, and any other script.
    """
    return fill(read("page.html"), read("page.css"), _script(), data)


def fill(page: str, style: str, script: str, data: dict[str, Any]) -> str:
    """Returns a page with its style, its script, its data and a policy that allows these alone."""
    of_style, of_script = digest(style), digest(script)
    policy = f"default-src 'none'; img-src data:; style-src {of_style}; script-src {of_script}"
    return Template(page).substitute(policy=policy, style=style, script=script, data=_json(data))


def digests() -> tuple[str, str]:
    """Returns the hashes of the style and of the script of all pages.

    Who shows a page inside of another one has to allow them in the policy of that one.
    """
    return digest(read("page.css")), digest(_script())


def _script() -> str:
    """Returns the script of a page, whose parts are files that build on those before."""
    return "\n".join(read(f"page.{part}.js") for part in _PARTS)


def read(name: str) -> str:
    """Returns a file of this folder."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def digest(source: str) -> str:
    """Returns the hash by which a content security policy allows a style or a script."""
    content = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(content).decode('ascii')}'"


def _json(data: Any) -> str:
    """Returns JSON in ASCII, without what could end a `<script>` element or begin another."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
