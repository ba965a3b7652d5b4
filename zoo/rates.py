"""Learning rates that recipes share."""

import keras


def warmup_cosine(
    steps: int, *, peak: float, warmup: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Up from 0 in `warmup` steps, at least one, then down to 0 by half a cosine until `steps`."""
    warmup = max(1, warmup)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), alpha=0.0, warmup_target=peak, warmup_steps=warmup
    )
