"""Learning rates, and the optimizer with them, that recipes share."""

from collections.abc import Sequence
from typing import Any

import keras


def warmup_cosine(
    steps: int, *, peak: float, warmup: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Up from 0 in `warmup` steps, at least one, then down to 0 by half a cosine until `steps`."""
    warmup = max(1, warmup)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), alpha=0.0, warmup_target=peak, warmup_steps=warmup
    )


def adamw_cosine(
    steps: int,
    *,
    peak: float,
    warmup: int,
    weight_decay: float,
    spared: Sequence[str] = (),
    **settings: Any,
) -> keras.optimizers.Optimizer:
    """AdamW by `warmup_cosine`, with gradients clipped to a norm of 1.

    Args:
        spared: parts of the names of variables that do not decay; biases, and the scales and
            offsets of norms never do.
        settings: further arguments of AdamW.
    """
    optimizer = keras.optimizers.AdamW(
        warmup_cosine(steps, peak=peak, warmup=warmup),
        weight_decay=weight_decay,
        global_clipnorm=1.0,
        **settings,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", *spared])
    return optimizer
