"""Recurrent sequence to sequence: a bidirectional encoder, a decoder with attention or without."""

from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(),
    "luong": dict(cell="lstm", attention="luong_general"),
    "none": dict(attention=None),
    "tiny": dict(hidden_dim=6, units=8, encoder_units=4, attention="bahdanau"),
    "tiny_dot": dict(hidden_dim=6, units=8, encoder_units=4, cell="lstm", attention="luong_dot"),
    "tiny_local": dict(
        hidden_dim=6,
        units=8,
        encoder_units=4,
        attention="luong_local_p",
        input_feeding=False,
        bridge=False,
    ),
    "tiny_none": dict(hidden_dim=6, units=8, encoder_units=4, cell="lstm", attention=None),
}
_SCORES: dict[
    str, dict[str, Any]
] = {  # of `LuongAttention`; for the local alignments the paper's best one is general
    "luong_dot": dict(score="dot"),
    "luong_general": dict(score="general"),
    "luong_concat": dict(score="concat"),
    "luong_local_m": dict(score="general", alignment="local_m"),
    "luong_local_p": dict(score="general", alignment="local_p"),
}


def seq2seq_rnn(
    *,
    hidden_dim: int = 256,
    units: int = 256,
    encoder_units: int = 256,
    cell: str = "gru",
    attention: str | None = "bahdanau",
    input_feeding: bool = True,
    window: int = 10,
    bridge: bool = True,
    dropout: float = 0.0,
    source_vocabulary_size: int | None = None,
    target_vocabulary_size: int | None = None,
    source_tokenizer: ka.layers.Tokenizer | None = None,
    target_tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "seq2seq_rnn",
) -> keras.Model:
    """The translator of Bahdanau et al., 2015 (https://arxiv.org/abs/1409.0473), of Luong et al.,
    2015 (https://arxiv.org/abs/1508.04025), or of Sutskever et al., 2014
    (https://arxiv.org/abs/1409.3215), by its attention.

    All have the bidirectional encoder of the first. Its last states in both directions, once
    through a layer, are the decoder's first state.

    Args:
        hidden_dim: width of the embeddings.
        units: of the decoder.
        encoder_units: of the encoder in each direction; the memory is twice as wide.
        cell: `"gru"` or `"lstm"`, of encoder and decoder.
        attention: `"bahdanau"`; `"luong_dot"`, which needs units = 2 encoder_units,
            `"luong_general"`, `"luong_concat"`, `"luong_local_m"` or `"luong_local_p"`; or `None`.
        input_feeding: see `RecurrentDecoder`.
        window: of the local alignments.
        bridge: whether the encoder's last states make the decoder's first one. Without, that is
            zero, and all that the decoder knows of the source it has by attention.
        dropout: share that training drops of the embeddings and of the decoder's features.
        source_vocabulary_size, target_vocabulary_size: number of ids; those of the tokenizers if
            `None`.
        source_tokenizer, target_tokenizer: which make ids of texts and go with the file; id 0 is
            their padding. Decoding begins with the start of the target's vocabulary.
        name: of the model.

    Returns:
        A model from `source_ids` `(B, S)` and `target_ids` `(B, T)` to the logits `(B, T, V)` of
        the target's tokens that follow each, in float32.

    Raises:
        ValueError: there is no such attention, or neither attention nor a bridge.
    """
    if attention is None and not bridge:
        raise ValueError(
            "The decoder knows nothing of the source without attention and without a bridge. "
            "Received: attention=None, bridge=False"
        )
    source_tokenizer = source_tokenizer or ka.layers.Tokenizer(name="source_tokenizer")
    target_tokenizer = target_tokenizer or ka.layers.Tokenizer(name="target_tokenizer")
    source_size = source_vocabulary_size or source_tokenizer.vocabulary_size
    target_size = target_vocabulary_size or target_tokenizer.vocabulary_size

    def embed(ids: Any, tokenizer: ka.layers.Tokenizer, size: int, side: str) -> Any:
        table = keras.layers.Embedding(size, hidden_dim, mask_zero=True, name=f"{side}_embedding")
        return keras.layers.Dropout(dropout, name=f"{side}_dropout")(table(tokenizer(ids)))

    source = keras.Input((None,), dtype="int32", name="source_ids")
    x = embed(source, source_tokenizer, source_size, "source")  # (B, S, D)
    recurrent = keras.layers.LSTM if cell == "lstm" else keras.layers.GRU
    encoder = recurrent(encoder_units, return_sequences=True, return_state=True)
    memory, *last = keras.layers.Bidirectional(encoder, name="encoder")(x)
    decoder = ka.layers.RecurrentDecoder(
        units, cell, _attention(attention, units, window), input_feeding, name="decoder"
    )
    given = {}
    if bridge:
        last = keras.layers.Concatenate(name="last_states")(last)
        given["initial_state"] = first_state(last, decoder.state_size)

    target = keras.Input((None,), dtype="int32", name="target_ids")
    x = embed(target, target_tokenizer, target_size, "target")  # (B, T, D)
    x = decoder(x, **given) if attention is None else decoder(x, memory, **given)  # (B, T, units)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(target_size, name="output")(x)  # (B, T, V)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model([source, target], logits, name=name)


def first_state(x: Any, size: int) -> Any:
    """Returns a recurrent decoder's first state `(B, size)`, made of a summary `(B, D)`.

    Without the norm all of tanh is at its ends after 50 steps, whatever is known, and remains.
    """
    x = keras.layers.Dense(size, name="first_features")(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="first_norm")(x)
    return keras.layers.Activation("tanh", name="first_state")(x)


def _attention(kind: str | None, units: int, window: int) -> keras.Layer | None:
    if kind is None:
        return None
    if kind == "bahdanau":
        return ka.layers.BahdanauAttention(units, name="cross_attention")
    if kind not in _SCORES:
        names = ", ".join(map(repr, ("bahdanau", *_SCORES)))
        raise ValueError(f"`attention` must be one of {names} or None. Received: {kind!r}")
    return ka.layers.LuongAttention(**_SCORES[kind], window=window, name="cross_attention")
