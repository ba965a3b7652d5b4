"""Long texts in windows: parts that overlap, each as long as a model reads at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from keras_attention import texts
from keras_attention.texts import Text


@dataclass(frozen=True)
class Window:
    """A part of a text.

    Attributes:
        row: what an encoder takes: the part, or a pair of a question and the part.
        start: where the part begins in the text.
        text: as the model reads it.
    """

    row: Any
    start: int
    text: Text

    @property
    def end(self) -> int:
        """Where the last token ends in the text."""
        own = self.text.own
        return self.start + self.text.pieces[own[-1]].end if own else self.start


def split(row: Any, encoder: Any, overlap: int, source: Any = None) -> list[Window]:
    """Returns a text, or the second of a pair of them, in windows that share `overlap` tokens.

    Lists of words are one window: what is too long of them, the encoder cuts off.

    Args:
        row, encoder, source: as `texts.read` takes them.
        overlap: at most half of a window; 0 for one window.
    """
    windows = [Window(row, 0, texts.read(row, encoder, source))]
    while overlap and windows[-1].text.given is None:
        start = _find_next(windows[-1], overlap)
        if start is None:
            break
        *before, whole = windows[0].text.strings
        part = (*before, whole[start:]) if before else whole[start:]
        following = Window(part, start, texts.read(part, encoder))
        if following.end <= windows[-1].end:  # what is left has no tokens
            break
        windows.append(following)
    return windows


def _find_next(window: Window, overlap: int) -> int | None:
    """Returns where the next window begins in the whole text, if anything is left."""
    text = window.text
    own = [text.pieces[i] for i in text.own]
    if len(own) < 2 or own[-1].end >= len(text.strings[-1].rstrip()):
        return None
    first = len(own) - min(overlap, len(own) // 2)
    begins = [i for i in range(1, first + 1) if own[i].word != own[i - 1].word]
    first = begins[-1] if begins else first  # within a word only if there is no other one
    return window.start + own[first].start


def join(windows: Sequence[Window], outputs: Sequence[np.ndarray]) -> tuple[Text, np.ndarray]:
    """Returns a text, and the outputs of its tokens `(T, ...)`.

    A token that several windows have gets the output of that in which it stands farther from the
    ends, as in Devlin et al.'s code for SQuAD (https://github.com/google-research/bert). A token
    before the text, such as that for "no answer", gets the least: an answer in one window is one.

    Args:
        windows: of the text.
        outputs: `(T_i, ...)` of each, padding behind it aside.
    """
    if len(windows) == 1:
        return windows[0].text, outputs[0]
    whole, last = windows[0].text, windows[-1].text
    fronts = [window.text.own[0] for window in windows]
    pieces = list(whole.pieces[: fronts[0]])
    rows = [np.min([output[: min(fronts)] for output in outputs], axis=0)]
    rows.append(outputs[0][min(fronts) : fronts[0]])
    bounds = [0, *(_find_bound(*pair) for pair in pairwise(windows)), windows[-1].end]
    words = 0
    for window, output, (low, high) in zip(windows, outputs, pairwise(bounds), strict=True):
        own = [
            i for i in window.text.own if low <= window.start + window.text.pieces[i].start < high
        ]
        rows.append(output[own])
        for piece in (window.text.pieces[i] for i in own):
            start, end = window.start + piece.start, window.start + piece.end
            pieces.append(piece._replace(start=start, end=end, word=words + piece.word))
        words += 1 + max((window.text.pieces[i].word for i in own), default=0)
    behind = last.own[-1] + 1
    pieces += last.pieces[behind:]
    rows.append(outputs[-1][behind : len(last.pieces)])
    return Text(whole.strings, pieces, whole.encoder), np.concatenate(rows)


def _find_bound(window: Window, following: Window) -> int:
    """Returns where the first of two windows hands over to the second: a word in the middle."""
    pieces = [following.text.pieces[i] for i in following.text.own]
    shared = [i for i, piece in enumerate(pieces) if following.start + piece.start < window.end]
    middle = len(shared) // 2
    while middle and pieces[middle].word == pieces[middle - 1].word:
        middle -= 1
    return following.start + pieces[middle].start
