"""Graph attention networks: nodes that attend to their neighbours."""

from collections.abc import Sequence

import keras

import keras_attention as ka

VARIANTS = {
    # Section 3.3 of the paper, for Cora and Citeseer.
    "default": dict(hidden_dim=8, num_heads=8, output_heads=1, attention="gat", dropout=0.6),
    "gatv2": dict(hidden_dim=8, num_heads=8, output_heads=1, attention="gatv2", dropout=0.6),
    # The same for Pubmed.
    "pubmed": dict(hidden_dim=8, num_heads=8, output_heads=8, attention="gat", dropout=0.6),
    # One layer of one head, then a linear one: for DictionaryLookup, section 4.1 of GATv2's paper.
    "lookup": dict(
        hidden_dim=64, num_heads=1, output_heads=None, attention="gatv2", dropout=0.0, num_layers=1
    ),
    "lookup_gat": dict(
        hidden_dim=64, num_heads=1, output_heads=None, attention="gat", dropout=0.0, num_layers=1
    ),
    "tiny": dict(hidden_dim=3, num_heads=2, output_heads=1, attention="gat", dropout=0.1),
    "tiny_gatv2": dict(hidden_dim=3, num_heads=2, output_heads=2, attention="gatv2", dropout=0.1),
}


def gat(
    *,
    hidden_dim: int,
    num_heads: int,
    output_heads: int | None,
    attention: str,
    dropout: float,
    num_features: int,
    num_layers: int = 2,
    l2: float = 0.0,
    num_classes: int | None = 7,
    class_names: Sequence[str] | None = None,
    name: str = "gat",
) -> keras.Model:
    """A graph attention network of Velickovic et al., 2018 (https://arxiv.org/abs/1710.10903), or
    of Brody et al., 2022 (https://arxiv.org/abs/2105.14491): a class for each node.

    Args:
        hidden_dim: output size of each head of the hidden layers.
        num_heads: heads of the hidden layers, whose outputs are concatenated.
        output_heads: heads of the layer that gives the logits, whose outputs are averaged; `None`
            for a linear layer instead.
        attention: `"gat"` or `"gatv2"`.
        dropout: share of each layer's inputs, and of its attention weights, that training drops.
        num_features: features of a node, F.
        num_layers: attention layers, with the one that gives the logits.
        l2: of all weights but biases.
        num_classes: classes of nodes; `None` for the last hidden layer's features.
        class_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `features` `(B, N, num_features)` and `edges` `(B, E, 2)`, pairs (source,
        target) padded with -1, to logits `(B, N, num_classes)`, or to features
        `(B, N, num_heads * hidden_dim)`.
    """
    features = keras.Input((None, num_features), name="features")
    edges = keras.Input((None, 2), dtype="int32", name="edges")
    x = features
    hidden = num_layers if output_heads is None else num_layers - 1
    settings = dict(
        variant=attention,
        dropout=dropout,
        input_dropout=dropout,
        kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
    )
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
