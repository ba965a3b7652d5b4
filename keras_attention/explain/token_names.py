"""What ids of tokens stand for, in words."""

import numpy as np

from keras_attention import roles

_INCOMPLETE = "\ufffd"  # what bytes are decoded to that are no whole character
_LONGEST = 4  # bytes of a character


def name_tokens(vocabulary: roles.Vocabulary | None, ids: np.ndarray) -> list[str]:
    """Returns what each id stands for, as a reader would write it; numbers without a vocabulary.

    Ids of the bytes of one character are all named by it, as `Vocabulary.tokens` does. Special
    tokens have the names that the vocabulary gives them.

    Args:
        vocabulary: the layer that makes the ids.
        ids: `(T,)` of one text, without padding.
    """
    if vocabulary is None or not vocabulary.has_vocabulary:
        return [str(i) for i in ids]
    if not len(ids):
        return []
    texts = vocabulary.decode(ids[:, None])
    # The space before a first word is not part of a text, so a space alone is nothing. Two are one.
    spaces = vocabulary.decode(np.stack([ids, ids], axis=1))
    for start in range(len(ids)):
        if _INCOMPLETE not in texts[start]:
            continue
        for end in range(start + 2, min(start + _LONGEST, len(ids)) + 1):
            (text,) = vocabulary.decode(ids[None, start:end])
            if _INCOMPLETE not in text:
                texts[start:end] = [text] * (end - start)
                break
    tokens = vocabulary.vocabulary
    return [
        text.strip() or text or space or tokens[i]
        for text, space, i in zip(texts, spaces, ids, strict=True)
    ]
