"""The transformer: an encoder and a decoder, for translation."""

from typing import Any

import keras

import keras_attention as ka

VARIANTS: dict[str, dict[str, Any]] = {
    "default": dict(shared_vocabulary=True),
    # Transformer-Tiny of Wu et al., 2021 (https://arxiv.org/abs/2105.14462), for Multi30k.
    "small": dict(
        hidden_dim=128, intermediate_dim=256, num_heads=4, num_layers=4, shared_vocabulary=True
    ),
    # The base model of Vaswani et al., table 3, with their vocabulary for English and German.
    "base": dict(
        hidden_dim=512,
        intermediate_dim=2048,
        num_heads=8,
        num_layers=6,
        norm_first=False,
        shared_vocabulary=True,
        source_vocabulary_size=37_000,
        target_vocabulary_size=37_000,
    ),
    "tiny": dict(
        hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1, shared_vocabulary=True
    ),
    "tiny_post_norm": dict(
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=2,
        norm_first=False,
        position="learned",
        max_length=32,
    ),
    "tiny_rotary": dict(
        hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1, position="rotary"
    ),
}


def transformer(
    *,
    hidden_dim: int = 256,
    intermediate_dim: int = 512,
    num_heads: int = 4,
    num_layers: int = 3,
    norm_first: bool = True,
    position: str = "sinusoidal",
    max_length: int | None = None,
    activation: str = "relu",
    shared_vocabulary: bool = False,
    dropout: float = 0.0,
    source_vocabulary_size: int | None = None,
    target_vocabulary_size: int | None = None,
    source_tokenizer: ka.layers.Tokenizer | None = None,
    target_tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "transformer",
) -> keras.Model:
    """The transformer of Vaswani et al., 2017 (https://arxiv.org/abs/1706.03762).

    The table of the target's tokens is the output projection as well (section 3.4), and with
    `shared_vocabulary` the table of the source's tokens too.

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads: attention heads of each block.
        num_layers: blocks of the encoder, and of the decoder.
        norm_first: whether to normalise before each sub-layer (https://arxiv.org/abs/2002.04745),
            and once more at the end; the paper did after each.
        position: `"sinusoidal"`, `"learned"`, or `"rotary"` in all self-attention.
        max_length: rows of the learned tables, and so the longest text; others have no limit.
        activation: of the feed-forward networks, see `FeedForward`.
        shared_vocabulary: whether source and target have the same ids, and one table.
        dropout: share that training drops of the embeddings and of each sub-layer's output.
        source_vocabulary_size, target_vocabulary_size: number of ids; those of the tokenizers if
            `None`.
        source_tokenizer, target_tokenizer: which make ids of texts and go with the file; id 0 is
            their padding. Decoding begins with the start of the target's vocabulary.
        name: of the model.

    Returns:
        A model from `source_ids` `(B, S)` and `target_ids` `(B, T)` to the logits `(B, T, V)` of
        the target's tokens that follow each, in float32.

    Raises:
        ValueError: a shared vocabulary is not the same, or `max_length` is given without learned
            positions.
    """
    if max_length is not None and position == "rotary":
        raise ValueError(
            "`max_length` is the size of the tables of learned positions; others have no limit. "
            f"Received: max_length={max_length}, position={position!r}"
        )
    source_tokenizer = source_tokenizer or ka.layers.Tokenizer(name="source_tokenizer")
    target_tokenizer = target_tokenizer or ka.layers.Tokenizer(name="target_tokenizer")
    source_size = source_vocabulary_size or source_tokenizer.vocabulary_size
    target_size = target_vocabulary_size or target_tokenizer.vocabulary_size
    if shared_vocabulary and source_size != target_size:
        raise ValueError(
            "A shared vocabulary must be that of both tokenizers. Received: "
            f"{source_size} source ids and {target_size} target ids. Train one on the texts of "
            "both and give a copy of it to the other, or pass shared_vocabulary=False."
        )

    def table(size: int, name: str) -> ka.layers.TokenEmbedding:
        normal = keras.initializers.RandomNormal(stddev=hidden_dim**-0.5)
        return ka.layers.TokenEmbedding(size, hidden_dim, embeddings_initializer=normal, name=name)

    def add_positions(x: Any, side: str) -> Any:
        """Adds positions to embeddings, which are scaled as in section 3.4 where sinusoids are."""
        if position != "rotary":
            x = ka.layers.PositionalEncoding(
                position, max_length, scale_inputs=position == "sinusoidal", name=f"{side}_position"
            )(x)
        return keras.layers.Dropout(dropout, name=f"{side}_dropout")(x)

    block = dict(
        num_heads=num_heads,
        intermediate_dim=intermediate_dim,
        activation=activation,
        norm_first=norm_first,
        position="rotary" if position == "rotary" else None,
        dropout=dropout,
    )
    target_table = table(target_size, "embedding" if shared_vocabulary else "target_embedding")
    source_table = target_table if shared_vocabulary else table(source_size, "source_embedding")

    source = keras.Input((None,), dtype="int32", name="source_ids")
    memory = add_positions(source_table(source_tokenizer(source)), "source")  # (B, S, D)
    for i in range(num_layers):
        memory = ka.layers.TransformerBlock(**block, name=f"encoder_block_{i}")(memory)
    if norm_first:
        memory = keras.layers.LayerNormalization(epsilon=1e-5, name="encoder_norm")(memory)

    target = keras.Input((None,), dtype="int32", name="target_ids")
    x = add_positions(target_table(target_tokenizer(target)), "target")  # (B, T, D)
    for i in range(num_layers):
        x = ka.layers.TransformerDecoderBlock(**block, name=f"decoder_block_{i}")(x, memory)
    if norm_first:
        x = keras.layers.LayerNormalization(epsilon=1e-5, name="decoder_norm")(x)
    x = target_table(x, reverse=True)  # (B, T, V)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model([source, target], logits, name=name)
