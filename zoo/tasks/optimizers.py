"""The optimizer that most recipes share."""

from collections.abc import Sequence
from typing import Any

import keras

import keras_attention as ka


def adamw_cosine(
    steps: int,
    *,
    peak: float,
    warmup_steps: int,
    weight_decay: float,
    spared: Sequence[str] = (),
    spared_variables: Sequence[keras.Variable] = (),
    **settings: Any,
) -> keras.optimizers.AdamW:
    """Returns AdamW with a rate by `warmup_cosine` and gradients clipped to a norm of 1.

    Args:
        steps, peak, warmup_steps: for `ka.schedules.warmup_cosine`.
        weight_decay: of all variables but biases, and the scales and offsets of norms.
        spared: parts of the names of further variables that do not decay.
        spared_variables: such variables themselves.
        settings: further arguments of AdamW.
    """
    optimizer = ka.optimizers.AdamW(
        ka.schedules.warmup_cosine(steps, peak=peak, warmup_steps=warmup_steps),
        weight_decay=weight_decay,
        global_clipnorm=1.0,
        **settings,
    )
    optimizer.exclude_from_weight_decay(
        var_list=list(spared_variables), var_names=["bias", "gamma", "beta", *spared]
    )
    return optimizer
