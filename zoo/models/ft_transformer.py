"""FT-Transformer: the columns of a table as tokens."""

from collections.abc import Mapping, Sequence

import keras

import keras_attention as ka

VARIANTS = {
    "default": {},
    # The paper's default (section 4, appendix E): width 192, ReGLU of 4/3 of it.
    "paper": dict(hidden_dim=192, intermediate_dim=256, num_heads=8, num_layers=3),
    "tiny": dict(hidden_dim=8, intermediate_dim=10, num_heads=2, num_layers=1),
}


def ft_transformer(
    *,
    hidden_dim: int = 64,
    intermediate_dim: int = 86,
    num_heads: int = 8,
    num_layers: int = 3,
    numbers: Sequence[str] = (),
    categories: Mapping[str, Sequence[str]] | None = None,
    dates: Sequence[str] = (),
    missing_tokens: bool = False,
    row_names: Sequence[str] | None = None,
    activation: str = "geglu",
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    num_classes: int | None = 2,
    class_names: Sequence[str] | None = None,
    quantities: ka.layers.Quantities | None = None,
    name: str = "ft_transformer",
) -> keras.Model:
    """The feature-token transformer of Gorishniy et al., 2021 (https://arxiv.org/abs/2106.11959).

    Each column of a row is a token; a class token reads them all. The gated network is the
    paper's ReGLU or, by default, with GELU. Unlike the paper's, the first block normalises its
    tokens (section 3.3 leaves that out).

    Args:
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' gated networks.
        num_heads: attention heads of each block.
        num_layers: number of transformer blocks.
        numbers: names of the columns of numbers, which are standardised once the layer
            `numbers_tokens` is adapted to the training data.
        categories: the categories of each other column, by its name.
        dates: names of the columns of dates; the layer `dates_tokens` is adapted likewise.
        missing_tokens: whether a missing number has a token of its own; else it counts as the mean.
        row_names: all columns of a raw row in their order.
        activation: `"geglu"`, the paper's `"reglu"`, or others of `TransformerBlock`.
        dropout: share of each sub-layer's output that training drops.
        attention_dropout: share of the attention weights that training drops.
        num_classes: classes, or `None` for the class token's features.
        class_names: their names, which the file carries.
        quantities: what a regression predicts, instead of classes.
        name: of the model.

    Returns:
        A model from `numbers`, `categories` and `dates` `(B, F)`, those that there are, to logits
        `(B, num_classes)`, to as many standardised numbers as `quantities` names, or to
        `(B, hidden_dim)`.

    Raises:
        ValueError: there are no columns.
    """
    if not (numbers or categories or dates):
        raise ValueError("Pass `numbers`, `categories` or `dates`: a table has columns.")
    inputs, tokens = [], []
    if numbers:
        inputs.append(keras.Input((len(numbers),), name="numbers"))
        columns = ka.layers.NumericColumns(
            numbers, hidden_dim, row_names, missing_tokens=missing_tokens, name="numbers_tokens"
        )
        tokens.append(columns(inputs[-1]))
    if categories:
        inputs.append(keras.Input((len(categories),), dtype="int32", name="categories"))
        columns = ka.layers.CategoricalColumns(
            list(categories),
            list(categories.values()),
            hidden_dim,
            row_names,
            name="categories_tokens",
        )
        tokens.append(columns(inputs[-1]))
    if dates:
        inputs.append(keras.Input((len(dates),), name="dates"))
        columns = ka.layers.DateColumns(dates, hidden_dim, row_names, name="dates_tokens")
        tokens.append(columns(inputs[-1]))
    x = keras.layers.Concatenate(axis=1, name="tokens")(tokens) if len(tokens) > 1 else tokens[0]
    x = ka.layers.ClassToken(name="class_token")(x)  # (B, 1 + columns, D)
    for i in range(num_layers):
        x = ka.layers.TransformerBlock(
            num_heads,
            intermediate_dim,
            activation=activation,
            dropout=dropout,
            attention_dropout=attention_dropout,
            name=f"block_{i}",
        )(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x[:, 0])
    if quantities is not None:
        x = keras.layers.Activation("relu", name="relu")(x)
        x = quantities(keras.layers.Dense(len(quantities.names), name="outputs")(x))
    elif num_classes is not None:
        x = keras.layers.Activation("relu", name="relu")(x)
        x = keras.layers.Dense(num_classes, name="logits")(x)
        x = ka.layers.Labels(num_classes, class_names, name="labels")(x)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], x, name=name)
