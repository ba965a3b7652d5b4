"""Vocabularies that are learned from texts, and how far that is."""

from collections.abc import Collection, Iterable, Iterator, Sized
from contextlib import ExitStack
from typing import Any

import keras_attention as ka
from zoo.progress import Progress, show_waiting


def learn_vocabulary(
    texts: Iterable[Sized], *, total: int | None = None, unit: str = "characters", **settings: Any
) -> ka.layers.Tokenizer:
    """Returns the tokenizer that `Tokenizer.train` makes of texts, and says how far it is.

    First the texts are read, which is counted. Then the tokens are chosen, such as pairs of bytes
    merged one after the other: in one call of the library, which tells nothing meanwhile, so that
    there is only said for how long.

    Args:
        texts: strings; or lists of words, if `words=True` is among the settings.
        total: characters, or words of lists, of all texts; counted if `None`.
        unit: what they are.
        settings: of `ka.layers.Tokenizer.train`.
    """
    if total is None:
        texts = texts if isinstance(texts, Collection) else list(texts)
        total = sum(map(len, texts))

    def read() -> Iterator[Sized]:
        with Progress("Read", total, unit=f"{unit} to learn tokens from") as progress:
            for text in texts:
                yield text
                progress.advance(len(text))
        work.enter_context(show_waiting("Choosing tokens for"))

    with ExitStack() as work:
        return ka.layers.Tokenizer.train(read(), **settings)
