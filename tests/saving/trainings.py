"""Trainings to stop and to resume: each optimizer of Keras and of ours, each policy and setting."""

import keras
import numpy as np

import keras_attention as ka

NAMES = sorted(
    name
    for name, each in vars(keras.optimizers).items()
    if isinstance(each, type)
    and issubclass(each, keras.optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
)


def _multi(of=keras.optimizers):
    adam, sgd = of.Adam(), of.SGD(0.01, momentum=0.9)
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(adam, {"hidden/.*": sgd}),
    )


def _not_decayed(of=keras.optimizers):
    optimizer = of.AdamW(1e-2, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


OPTIMIZERS = {
    **{name: getattr(keras.optimizers, name) for name in NAMES},
    "LossScaleOptimizer": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(), initial_scale=8.0, dynamic_growth_steps=4
    ),
    "MultiOptimizer": _multi,
    "schedule of ours": lambda: keras.optimizers.Adam(ka.schedules.InverseSqrtWarmup(4, peak=1e-2)),
    "schedule of Keras": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(1e-1, 10)
    ),
    "moving average": lambda: keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=4),
    "accumulation": lambda: keras.optimizers.Adam(gradient_accumulation_steps=3),
    "clipping": lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.1),
    "biases not decayed": _not_decayed,
    "Adam of ours": lambda: ka.optimizers.Adam(1e-2, amsgrad=True),
    "AdamW of ours": lambda: _not_decayed(ka.optimizers),
    "SGD of ours": lambda: ka.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "MultiOptimizer of ours": lambda: _multi(ka.optimizers),
}
POLICIES = ("mixed_float16", "mixed_bfloat16", "bfloat16")


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 6)).astype("float32")
    return x, (x[:, :3] * 2 - x[:, 3:]).astype("float32")


def compiled(optimizer, *, dropout, policy="float32"):
    """A small model in training."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(0)
        features = keras.Input((6,))
        x = keras.layers.Dense(8, activation="relu", name="hidden")(features)
        x = keras.layers.Dropout(dropout)(x)
        model = keras.Model(features, keras.layers.Dense(3, name="output")(x))
        model.compile(OPTIMIZERS[optimizer](), "mse", metrics=["mae"])
    finally:
        keras.config.set_dtype_policy(before)
    return model


def losses(model, steps, callbacks=()):
    """The loss of each of the next steps."""
    x, y = data()
    settings = {"shuffle": False, "verbose": 0, "callbacks": list(callbacks)}
    return model.fit(x, y, batch_size=16, epochs=steps, **settings).history["loss"]


class AfterEpoch(keras.callbacks.Callback):
    """Calls `action(model)` once, when so many epochs are complete."""

    def __init__(self, epochs, action):
        super().__init__()
        self.epochs, self.action = epochs, action

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.epochs:
            self.action(self.model)
