"""GPT: a language model of decoder blocks, from GPT-2 to the likes of Llama."""

from typing import Any

import keras

import keras_attention as ka

# nanoGPT's sizes for Shakespeare letter by letter (https://github.com/karpathy/nanoGPT), on a CPU
# and on a GPU.
_SHAKESPEARE_CPU = dict(use_bias=False, max_length=64)
VARIANTS: dict[str, dict[str, Any]] = {
    "default": _SHAKESPEARE_CPU,
    "shakespeare_cpu": _SHAKESPEARE_CPU,
    "shakespeare": dict(
        hidden_dim=384,
        intermediate_dim=1536,
        num_heads=6,
        num_layers=6,
        use_bias=False,
        max_length=256,
        dropout=0.2,
    ),
    # GPT-2 small.
    "gpt2": dict(
        hidden_dim=768,
        intermediate_dim=3072,
        num_heads=12,
        num_layers=12,
        max_length=1024,
        dropout=0.1,
        vocabulary_size=50_257,
    ),
    # For measuring how fast it writes.
    "benchmark": dict(
        hidden_dim=384,
        intermediate_dim=1536,
        num_heads=6,
        num_layers=6,
        max_length=256,
        dropout=0.0,
    ),
    "tiny": dict(
        hidden_dim=8,
        intermediate_dim=16,
        num_heads=2,
        num_layers=2,
        max_length=32,
        dropout=0.0,
    ),
    # Llama's parts, and Mistral's window.
    "tiny_llama": dict(
        hidden_dim=16,
        intermediate_dim=24,
        num_heads=4,
        num_kv_heads=2,
        num_layers=2,
        position="rotary",
        norm="rms",
        activation="swiglu",
        window=4,
        tied=False,
        use_bias=False,
        dropout=0.0,
    ),
}
_ROWS = 1024  # of a table of learned positions, as GPT-2's
_NORMS = {"layer": keras.layers.LayerNormalization, "rms": ka.layers.RMSNormalization}


def gpt(
    *,
    hidden_dim: int = 128,
    intermediate_dim: int = 512,
    num_heads: int = 4,
    num_layers: int = 4,
    num_kv_heads: int | None = None,
    position: Any = "learned",
    norm: str = "layer",
    activation: str = "gelu",
    window: int | None = None,
    mechanism: Any = None,
    head: bool = True,
    tied: bool = True,
    use_bias: bool = True,
    epsilon: float = 1e-5,
    max_length: int | None = None,
    dropout: float = 0.0,
    attention_dropout: float | None = None,
    embedding_dropout: float | None = None,
    vocabulary_size: int | None = None,
    tokenizer: ka.layers.Tokenizer | None = None,
    name: str = "gpt",
) -> keras.Model:
    """The decoder-only language model of Radford et al., 2019, "GPT-2"
    (https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf).

    With `position="rotary"`, `norm="rms"`, `activation="swiglu"`, `use_bias=False` and fewer
    `num_kv_heads` it is a Llama (https://arxiv.org/abs/2302.13971), with a `window` a Mistral
    (https://arxiv.org/abs/2310.06825).

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks.
        num_heads, num_kv_heads: attention heads of each block, and those of keys and values.
        num_layers: number of blocks.
        position: `"learned"`, a table of absolute positions; or what `TransformerBlock` takes,
            such as `"rotary"`.
        norm: `"layer"` or `"rms"`.
        activation: of the feed-forward networks, see `FeedForward`.
        window: how many tokens a token sees, itself included; all before it if `None`.
        mechanism: of the attention, see `MultiHeadSelfAttention`: `"block_sparse"`, `"linear"`, or
            a `BlockSparseAttention` or `LinearAttention` with other settings.
        head: whether the tokens become logits of those that follow; else the model returns what
            the last norm makes of them.
        tied: whether the table of the tokens is the output projection as well.
        use_bias: whether the projections of the blocks have biases.
        epsilon: of the norms.
        max_length: rows of the learned table, and so the longest text, 1,024 if `None`; others have
            no limit.
        dropout: share that training drops of each sub-layer's output.
        attention_dropout, embedding_dropout: those of the attention weights and of the embeddings;
            the same if `None`.
        vocabulary_size: number V of token ids; that of the tokenizer if `None`.
        tokenizer: which makes ids of text and goes with the file. Nothing sees its padding;
            without a tokenizer all ids are tokens.
        name: of the model.

    Returns:
        A model from `token_ids` `(B, T)` to the logits `(B, T, V)` of the tokens that follow
        each, in float32; without a head to features `(B, T, D)`.

    Raises:
        ValueError: nothing tells the size of the vocabulary, or `max_length` is given without
            learned positions.
    """
    if vocabulary_size is None and tokenizer is None:
        raise ValueError(
            "The size of the vocabulary must be known. Received: vocabulary_size=None, "
            "tokenizer=None. Pass one of them."
        )
    learned = position == "learned"
    if max_length is not None and not learned:
        raise ValueError(
            "`max_length` is the size of the table of learned positions; others have no limit. "
            f"Received: max_length={max_length}, position={position!r}"
        )
    size = vocabulary_size or tokenizer.vocabulary_size
    normal = keras.initializers.RandomNormal(stddev=0.02)
    embedding = ka.layers.TokenEmbedding(
        size, hidden_dim, embeddings_initializer=normal, name="embedding"
    )
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = embedding(tokens if tokenizer is None else tokenizer(tokens))  # (B, T, D)
    if learned:
        rows = _ROWS if max_length is None else max_length
        x = ka.layers.PositionalEncoding("learned", rows, name="position")(x)
    share = dropout if embedding_dropout is None else embedding_dropout
    x = keras.layers.Dropout(share, name="dropout")(x)
    for i in range(num_layers):
        block = ka.layers.TransformerBlock(
            num_heads,
            intermediate_dim,
            num_kv_heads=num_kv_heads,
            activation=activation,
            norm=norm,
            epsilon=epsilon,
            dropout=dropout,
            attention_dropout=dropout if attention_dropout is None else attention_dropout,
            causal=True,
            window=window,
            mechanism=mechanism,
            position=None if learned else position,
            use_bias=use_bias,
            kernel_initializer=normal,
            name=f"block_{i}",
        )
        x = block(x)
        # Section 2.3: what is added to the residual path begins smaller, by its depth.
        for kernel in (block.attention.output_kernel, block.feed_forward.output_kernel):
            kernel.assign(kernel * (2 * num_layers) ** -0.5)
    x = _NORMS[norm](epsilon=epsilon, name="norm")(x)
    if not head:
        return keras.Model(tokens, x, name=name)
    if tied:
        x = embedding(x, reverse=True)  # (B, T, V)
    else:
        x = keras.layers.Dense(size, use_bias=False, kernel_initializer=normal, name="head")(x)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(tokens, logits, name=name)
