"""Reader: answers a question about a sequence, which it reads in one of three ways."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(),
    "lstm": dict(kind="lstm", units=132),
    "transformer": dict(kind="transformer"),
    "tiny": dict(kind="attention", hidden_dim=8, units=8),
    "tiny_lstm": dict(kind="lstm", hidden_dim=8, units=8),
    "tiny_transformer": dict(
        kind="transformer", hidden_dim=8, num_layers=1, num_heads=2, intermediate_dim=16
    ),
}


def reader(
    *,
    kind: str = "attention",
    hidden_dim: int = 64,
    units: int = 104,
    num_layers: int = 2,
    num_heads: int = 4,
    intermediate_dim: int = 272,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    num_classes: int | None = 10,
    class_names: Sequence[str] | None = None,
    name: str = "reader",
) -> keras.Model:
    """A reader of a sequence and then of a question, whose last state tells the answer.

    - `"lstm"`: the last state of an LSTM, which must have kept everything;
    - `"attention"`: that state attends to all states, as the decoder of Luong et al., 2015
      (https://arxiv.org/abs/1508.04025);
    - `"transformer"`: blocks of self-attention (https://arxiv.org/abs/1706.03762), without
      positions: the order of the facts tells nothing.

    Args:
        kind: `"lstm"`, `"attention"` or `"transformer"`.
        hidden_dim: width D of the embeddings, and of the transformer.
        units: of the LSTM.
        num_layers, num_heads, intermediate_dim: of the transformer.
        vocabulary_size: number of token ids; that of the tokenizer if `None`.
        tokenizer: which makes ids of facts and question and goes with the file.
        num_classes: answers, or `None` for the features; 10 stands for as many as there are
            `class_names`, where these are given.
        class_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `token_ids` `(B, T)`, padded with 0, and `question_ids` `(B, 1)` to logits
        `(B, num_classes)`, or to features.

    Raises:
        ValueError: there is no such kind.
    """
    if num_classes == 10 and class_names is not None:
        num_classes = len(class_names)
    tokenizer = tokenizer or ka.layers.Tokenizer(name="tokenizer")
    size = vocabulary_size or tokenizer.vocabulary_size
    facts = keras.Input((None,), dtype="int32", name="token_ids")
    question = keras.Input((1,), dtype="int32", name="question_ids")
    ids = keras.layers.Concatenate(axis=1, dtype="int32", name="ids")(
        [tokenizer(facts), tokenizer.copy(name="question_tokenizer")(question)]
    )
    x = keras.layers.Embedding(size, hidden_dim, mask_zero=True, name="embedding")(ids)
    if kind in ("lstm", "attention"):
        x = keras.layers.LSTM(units, return_sequences=True, name="lstm")(x)  # (B, T + 1, U)
        last = x[:, -1]  # (B, U)
        if kind == "attention":
            query = keras.layers.Reshape((1, units), name="query")(last)
            context = ka.layers.LuongAttention("general", name="attention")(query, x)
            context = keras.layers.Flatten(name="context")(context)
            last = keras.layers.Concatenate(name="both")([context, last])
            last = keras.layers.Dense(units, "tanh", name="attentional")(last)
    elif kind == "transformer":
        for i in range(num_layers):
            x = ka.layers.TransformerBlock(num_heads, intermediate_dim, name=f"block_{i}")(x)
        last = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)[:, -1]
    else:
        kinds = "'lstm', 'attention' or 'transformer'"
        raise ValueError(f"`kind` must be {kinds}. Received: kind={kind!r}")
    if num_classes is not None:
        last = keras.layers.Dense(num_classes, name="logits")(last)
        last = ka.layers.Labels(num_classes, class_names, name="labels")(last)
    return keras.Model([facts, question], last, name=name)
