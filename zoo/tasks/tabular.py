"""The optimizer of recipes of tables."""

import keras

from zoo.tasks.optimizers import adamw_cosine


def make_optimizer(model: keras.Model, steps: int, *, peak: float) -> keras.optimizers.Optimizer:
    """Returns AdamW without decay of the tokens, as in the paper of the FT-Transformer."""
    return adamw_cosine(
        steps,
        peak=peak,
        warmup_steps=steps // 10,
        weight_decay=1e-2,
        spared=["tokens", "embeddings"],
        # The variable is called "kernel", as that of a Dense is, so its name would spare too much.
        spared_variables=[model.get_layer("numbers_tokens").kernel],
    )
