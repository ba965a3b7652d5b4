"""Labels of words at the pieces that a vocabulary cuts them to, and back."""

import numpy as np


def spread_to_pieces(of_words: np.ndarray, first_pieces: np.ndarray) -> np.ndarray:
    """Returns labels, or weights, of words at the first piece of each, and 0 elsewhere.

    A tagger over pieces learns from the first piece of each word (Devlin et al., 2019,
    https://arxiv.org/abs/1810.04805, section 5.3):

    ```python
    first = tokenizer.first_pieces(sentences)
    tags, weights = (spread_to_pieces(each, first) for each in (tags, weights))
    ```

    Args:
        of_words: `(B, W)`.
        first_pieces: `(B, T)`, the number of the word that begins at an id, or -1, as
            `Tokenizer.first_pieces` returns them.

    Returns:
        `(B, T)` of the dtype of `of_words`.

    Raises:
        ValueError: a word begins that has no label.
    """
    if of_words.ndim != 2 or len(of_words) != len(first_pieces):
        raise ValueError(
            "`of_words` must be (B, W), a row for each of `first_pieces`. Received: "
            f"{of_words.shape} and {first_pieces.shape}"
        )
    if first_pieces.size and first_pieces.max() >= of_words.shape[1]:
        raise ValueError(
            f"`of_words` must have a label for each word. Received: {of_words.shape[1]} labels in "
            f"a row, and a word of the number {first_pieces.max()}, counted from 0"
        )
    taken = np.take_along_axis(of_words, np.maximum(first_pieces, 0), axis=1)
    return np.where(first_pieces >= 0, taken, 0).astype(of_words.dtype)


def gather_words(of_pieces: np.ndarray, first_pieces: np.ndarray, num_words: int) -> np.ndarray:
    """Returns what a model says of words: that at the first piece of each.

    Args:
        of_pieces: `(B, T, ...)` outputs.
        first_pieces: `(B, T)`, see `spread_to_pieces`.
        num_words: W, at least as many as the longest row has.

    Returns:
        `(B, W, ...)`, with zeros for words that have no piece.
    """
    words = np.zeros((len(of_pieces), num_words, *of_pieces.shape[2:]), of_pieces.dtype)
    rows, pieces = np.nonzero(first_pieces >= 0)
    words[rows, first_pieces[rows, pieces]] = of_pieces[rows, pieces]
    return words
