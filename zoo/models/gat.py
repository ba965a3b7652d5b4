"""Graph attention networks: nodes that attend to their neighbours."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka

VARIANTS = {
    "default": {},  # section 3.3 of the paper, for Cora and Citeseer
    "gatv2": dict(attention="gatv2"),
    "pubmed": dict(output_heads=8),  # as the paper has it for Pubmed
    # For graphs with thousands of labelled nodes.
    "deep": dict(block="pre_norm", hidden_dim=32, num_layers=5, dropout=0.2),
    # One layer of one head, then a linear one: for DictionaryLookup, section 4.1 of GATv2's paper.
    "lookup": dict(
        hidden_dim=64, num_heads=1, output_heads=None, attention="gatv2", dropout=0.0, num_layers=1
    ),
    "lookup_gat": dict(
        hidden_dim=64, num_heads=1, output_heads=None, attention="gat", dropout=0.0, num_layers=1
    ),
    "tiny": dict(hidden_dim=3, num_heads=2, output_heads=1, attention="gat", dropout=0.1),
    "tiny_gatv2": dict(hidden_dim=3, num_heads=2, output_heads=2, attention="gatv2", dropout=0.1),
    "tiny_deep": dict(block="pre_norm", hidden_dim=3, num_heads=2, dropout=0.1),
}


def gat(
    *,
    num_features: int,
    hidden_dim: int = 8,
    num_heads: int = 8,
    output_heads: int | None = 1,
    attention: str = "gat",
    dropout: float = 0.6,
    num_layers: int = 2,
    block: str = "plain",
    preparation: keras.Layer | None = None,
    l2: float = 0.0,
    num_classes: int | None = 7,
    class_names: Sequence[str] | None = None,
    name: str = "gat",
) -> keras.Model:
    """A graph attention network of Velickovic et al., 2018 (https://arxiv.org/abs/1710.10903), or
    of Brody et al., 2022 (https://arxiv.org/abs/2105.14491): a class for each node.

    More than a few of the paper's layers learn less than two. With `block="pre_norm"` a layer is a
    residual block of Platonov et al., 2023 (https://arxiv.org/abs/2302.11640, section 5):
    `x + FeedForward(GraphAttention(LayerNorm(x)))`.

    Args:
        num_features: features of a node, F.
        hidden_dim: output size of each head of the hidden layers.
        num_heads: heads of the hidden layers, whose outputs are concatenated.
        output_heads: heads of the layer that gives the logits, whose outputs are averaged; `None`
            for a linear layer instead, which pre-norm blocks have in any case.
        attention: `"gat"` or `"gatv2"`.
        dropout: share of each layer's inputs, and of its attention weights, that training drops; of
            pre-norm blocks, the share of their hidden values and of their outputs.
        num_layers: attention layers, with the one that gives the logits.
        block: `"plain"`, the paper's layers one upon the other, or `"pre_norm"`.
        preparation: what the features go through first, such as a `ka.layers.SumNormalization`.
        l2: of all weights but biases.
        num_classes: classes of nodes; `None` for the last hidden layer's features.
        class_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `features` `(B, N, num_features)` and `edges` `(B, E, 2)`, pairs (source,
        target) padded with -1, to logits `(B, N, num_classes)`, or to features
        `(B, N, num_heads * hidden_dim)`.

    Raises:
        ValueError: there is no such `block`.
    """
    if block not in ("plain", "pre_norm"):
        raise ValueError(f"`block` must be 'plain' or 'pre_norm'. Received: block={block!r}")
    features = keras.Input((None, num_features), name="features")
    edges = keras.Input((None, 2), dtype="int32", name="edges")
    x = features if preparation is None else preparation(features)
    regularizer = keras.regularizers.L2(l2) if l2 else None
    if block == "pre_norm":
        x = _add_blocks(
            x,
            edges,
            hidden_dim=hidden_dim,
            num_heads=num_heads,
            num_layers=num_layers,
            dropout=dropout,
            variant=attention,
            kernel_regularizer=regularizer,
        )
        output_heads = None
    else:
        settings = dict(
            variant=attention,
            dropout=dropout,
            input_dropout=dropout,
            kernel_regularizer=regularizer,
        )
        hidden = num_layers if output_heads is None else num_layers - 1
        for i in range(hidden):
            x = ka.layers.GraphAttention(hidden_dim, num_heads, name=f"attention_{i}", **settings)(
                x, edges=edges
            )
            x = keras.layers.Activation("elu", name=f"elu_{i}")(x)
    if num_classes is not None and output_heads is not None:
        x = ka.layers.GraphAttention(
            num_classes, output_heads, concat=False, name=f"attention_{hidden}", **settings
        )(x, edges=edges)
    elif num_classes is not None:
        x = keras.layers.Dense(num_classes, name="logits")(x)
    if num_classes is not None:
        x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model([features, edges], x, name=name)


def _add_blocks(
    x: Any,
    edges: Any,
    *,
    hidden_dim: int,
    num_heads: int,
    num_layers: int,
    dropout: float,
    **settings: Any,
) -> Any:
    """Returns the output of residual blocks, normalised, as of the code of Platonov et al."""
    width = num_heads * hidden_dim
    x = keras.layers.Dense(width, name="projection")(x)
    x = keras.layers.Dropout(dropout, name="projection_dropout")(x)
    x = keras.layers.Activation("gelu", name="gelu")(x)
    for i in range(num_layers):
        y = keras.layers.LayerNormalization(epsilon=1e-5, name=f"norm_{i}")(x)
        y = ka.layers.GraphAttention(hidden_dim, num_heads, name=f"attention_{i}", **settings)(
            y, edges=edges
        )
        y = ka.layers.FeedForward(width, dropout=dropout, name=f"feed_forward_{i}")(y)
        y = keras.layers.Dropout(dropout, name=f"dropout_{i}")(y)
        x = keras.layers.Add(name=f"add_{i}")([x, y])
    return keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
