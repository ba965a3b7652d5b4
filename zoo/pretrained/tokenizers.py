"""From the files of a published tokenizer to a `Tokenizer`."""

from typing import Any

import keras_attention as ka
from zoo.pretrained.checkpoint import Checkpoint


def read(
    checkpoint: Checkpoint, config: Any, *, max_length: int | None, words: bool | str = False
) -> ka.layers.Tokenizer:
    content = checkpoint.text("tokenizer.json")
    if content is None:
        return ka.layers.Tokenizer(
            padding_id=config.get("pad_token_id", 0),
            max_length=max_length,
            words=words,
            name="tokenizer",
        )
    special = checkpoint.json("tokenizer_config.json")

    def token(name):
        value = special.get(name)
        return value["content"] if isinstance(value, dict) else value

    return ka.layers.Tokenizer.from_json(
        content,
        padding=token("pad_token"),
        mask=token("mask_token"),
        max_length=max_length,
        words=words,
    )
