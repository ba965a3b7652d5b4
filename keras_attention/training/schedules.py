"""Learning rate schedules that Keras does not have."""

from typing import Any

import keras
from keras import ops

from keras_attention.ops import checks


@keras.saving.register_keras_serializable(package="keras_attention")
class InverseSqrtWarmup(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warmup, then decay with the inverse root of the step.

    Vaswani et al., 2017 (https://arxiv.org/abs/1706.03762), equation 3:
    `hidden_dim ** -0.5 * min(step ** -0.5, step * warmup_steps ** -1.5)`. Steps count from 1,
    so the first update already learns: this schedule at Keras's step 0 is the paper's step 1.

    Args:
        warmup_steps: steps until the highest learning rate.
        hidden_dim: the model's width, which sets the highest rate as in the paper.
        peak: the highest learning rate itself, instead of `hidden_dim`.

    Raises:
        ValueError: neither or both of `hidden_dim` and `peak` were given.
    """

    def __init__(
        self,
        warmup_steps: int = 4000,
        *,
        hidden_dim: int | None = None,
        peak: float | None = None,
        name: str = "inverse_sqrt_warmup",
    ) -> None:
        super().__init__()
        checks.positive_int(warmup_steps=warmup_steps)
        if (hidden_dim is None) == (peak is None):
            raise ValueError(
                "Pass either `hidden_dim` (the paper's rate) or `peak` (the highest rate). "
                f"Received: hidden_dim={hidden_dim}, peak={peak}"
            )
        if hidden_dim is not None:
            checks.positive_int(hidden_dim=hidden_dim)
            scale = hidden_dim**-0.5
        else:
            checks.positive(peak=peak)
            scale = peak * warmup_steps**0.5
        self.warmup_steps = warmup_steps
        self.hidden_dim = hidden_dim
        self.peak = peak
        self.name = name
        self._scale = scale

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32") + 1.0
        return self._scale * ops.minimum(ops.rsqrt(step), step * self.warmup_steps**-1.5)

    def get_config(self) -> dict[str, Any]:
        return {
            "warmup_steps": self.warmup_steps,
            "hidden_dim": self.hidden_dim,
            "peak": self.peak,
            "name": self.name,
        }


def warmup_cosine(
    steps: int, *, peak: float, warmup_steps: int = 0
) -> keras.optimizers.schedules.CosineDecay:
    """Returns a schedule that rises linearly to `peak`, then falls to 0 with half a cosine.

    It is Keras's `CosineDecay` (Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983),
    whose own `decay_steps` begin after the warmup; here `steps` is the whole training.

    Args:
        steps: of the training, warmup included.
        peak: the highest learning rate.
        warmup_steps: steps from 0 to `peak`; at least one is taken.

    Raises:
        ValueError: a number of steps or `peak` is not positive, or the warmup is longer than the
            training.
    """
    checks.positive_int(steps=steps)
    checks.not_negative_int(warmup_steps=warmup_steps)
    checks.positive(peak=peak)
    if warmup_steps > steps:
        raise ValueError(
            "`warmup_steps` must be at most `steps`, the whole training. Received: "
            f"warmup_steps={warmup_steps}, steps={steps}"
        )
    warmup_steps = max(1, warmup_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, steps - warmup_steps),
        alpha=0.0,
        warmup_target=peak,
        warmup_steps=warmup_steps,
    )
