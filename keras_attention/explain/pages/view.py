"""A finished page, which can be shown in a notebook or saved."""

import html
import warnings
from dataclasses import dataclass
from pathlib import Path

from keras_attention.saving import files

_LARGEST_CELL = 2**24  # bytes of a notebook's output, which is in the notebook's file


@dataclass(frozen=True, repr=False)
class View:
    """A page: shown by a notebook, `str(view)`, or `view.save("attention.html")`.

    Attributes:
        page: the HTML document.
    """

    page: str

    def __str__(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return f"<View, {len(self.page) / 1e6:.1f} MB: .save('attention.html')>"

    def save(self, path: str | Path) -> Path:
        """Writes the file, completely or not at all."""
        files.write_text(path, self.page)
        return Path(path)

    def _repr_html_(self) -> str:
        """Returns a frame for the page, so that its styles meet nothing else in the notebook."""
        if len(self.page) > _LARGEST_CELL:
            warnings.warn(
                f"This view puts {len(self.page) / 1e6:.0f} MB in the notebook. Choose with "
                "`layers=` or `heads=`, or save it to a file of its own: "
                "view.save('attention.html').",
                stacklevel=2,
            )
        return (
            '<iframe title="Attention weights" sandbox="allow-scripts" '
            'style="width: 100%; height: 720px; border: 0; resize: vertical" '
            f'srcdoc="{html.escape(self.page)}"></iframe>'
        )
