"""Q-networks: what each action is worth, by attention over a state or over past observations."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

import keras_attention as ka
from zoo.models.ft_transformer import ft_transformer

VARIANTS: dict[str, dict[str, Any]] = {
    # Each number of the state is a token.
    "default": dict(),
    # Each of the last observations is a token.
    "history": dict(attention="history", history=8),
    # As many parameters without attention: of one observation, and of the last ones side by side.
    "memoryless": dict(attention=None, hidden_dim=16, intermediate_dim=42, num_layers=2),
    "stacked": dict(attention=None, history=8, hidden_dim=4, intermediate_dim=42, num_layers=2),
    "tiny": dict(attention="state", hidden_dim=8, intermediate_dim=8, num_heads=2, num_layers=1),
    "tiny_history": dict(
        attention="history",
        history=3,
        hidden_dim=8,
        intermediate_dim=8,
        num_heads=2,
        num_layers=1,
    ),
    "tiny_memoryless": dict(attention=None, hidden_dim=4, intermediate_dim=8, num_layers=1),
}


def q_network(
    *,
    names: Sequence[str],
    hidden_dim: int = 16,
    intermediate_dim: int = 32,
    num_layers: int = 1,
    num_heads: int = 2,
    attention: str | None = "state",
    history: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float = 1.0,
    num_actions: int | None = 2,
    action_names: Sequence[str] | None = None,
    name: str = "q_network",
) -> keras.Model:
    """The values of the actions in a state (Mnih et al., 2015,
    https://doi.org/10.1038/nature14236), by attention.

    With `attention="state"` the numbers of an observation are the tokens of a feature-token
    transformer (Gorishniy et al., 2021, https://arxiv.org/abs/2106.11959). With `"history"` the
    last observations are, which together tell what one does not, as in Esslinger et al., 2022
    (https://arxiv.org/abs/2206.01078); unlike theirs, it values the actions of now alone, by
    attention pooling. With `None` it is a plain network, to compare with.

    Args:
        names: F names of the numbers of an observation.
        hidden_dim: width D of the tokens.
        intermediate_dim: width of the blocks' feed-forward networks, or of the plain layers.
        num_layers: number of transformer blocks, or of plain layers.
        num_heads: attention heads of each block.
        attention: `"state"`, `"history"` or `None`.
        history: how many observations it sees, the newest last; `None` for the newest alone.
        mean, std: of the numbers, F each; they are standardised by them, or not if `None`.
        scale: what an output of 1 of the last layer stands for: returns are large numbers, which
            weights would take long to grow to.
        num_actions: actions A, or `None` for the features that their values are made of; 2 stands
            for as many as there are `action_names`, where these are given.
        action_names: their names, which the file carries.
        name: of the model.

    Returns:
        A model from `numbers` `(B, F)`, or `history` `(B, history, F)`, to values `(B, A)`.

    Raises:
        ValueError: there is no such attention, or `history` does not go with it.
    """
    if attention not in ("state", "history", None):
        raise ValueError(
            f"`attention` must be 'state', 'history' or None. Received: attention={attention!r}"
        )
    if attention is not None and (attention == "history") != (history is not None):
        raise ValueError(
            "`history` is a number of observations where attention='history', and None where "
            f"attention='state'. Received: history={history}, attention={attention!r}"
        )
    if num_actions == 2 and action_names is not None:
        num_actions = len(action_names)
    mean = np.zeros(len(names)) if mean is None else np.asarray(mean)
    std = np.ones(len(names)) if std is None else np.asarray(std)
    blocks: dict[str, Any] = dict(
        hidden_dim=hidden_dim, intermediate_dim=intermediate_dim, num_heads=num_heads
    )
    if attention == "state":
        model = ft_transformer(**blocks, num_layers=num_layers, numbers=names, num_classes=None)
        observation, x = model.inputs[0], model.outputs[0]
    elif history is None:
        observation = keras.Input((len(names),), name="numbers")
        x = ka.layers.NumericColumns(names, hidden_dim, name="numbers_tokens")(observation)
    else:
        observation = keras.Input((history, len(names)), name="history")
        # Its mean and variance are in its configuration: as weights, `set_weights` would not do.
        x = keras.layers.Normalization(
            mean=mean.tolist(), variance=np.square(std).tolist(), name="standardised"
        )(observation)
        x = keras.layers.Dense(hidden_dim, name="tokens")(x)  # (B, T, D)
    if attention == "history":
        x = ka.layers.PositionalEncoding("learned", history, name="position")(x)
        for i in range(num_layers):
            x = ka.layers.TransformerBlock(
                num_heads, intermediate_dim, activation="geglu", name=f"block_{i}"
            )(x)
        x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
        x = ka.layers.AttentionPooling(num_heads=num_heads, name="pooling")(x)
    if attention is None:
        x = keras.layers.Flatten(name="flat")(x)
        for i in range(num_layers):
            x = keras.layers.Dense(intermediate_dim, "relu", name=f"dense_{i}")(x)
    if num_actions is not None:
        x = keras.layers.Activation("relu", name="relu")(x) if attention == "state" else x
        x = keras.layers.Dense(num_actions, name="values")(x)
        x = keras.layers.Rescaling(scale, name="returns")(x)
        x = ka.layers.ActionValues(num_actions, action_names, name="actions")(x)
    model = keras.Model(observation, x, name=name)
    if history is None:
        model.get_layer("numbers_tokens").adapt(np.stack([mean - std, mean + std]))
    return model
