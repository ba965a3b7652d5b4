"""Data parallel training on JAX: two devices of a CPU compute what one does."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.only_on("jax")

TRAINING = """
import keras
import numpy as np

import keras_attention as ka
import zoo


def train(distribution, path):
    keras.distribution.set_distribution(distribution)
    keras.utils.set_random_seed(0)
    sizes = zoo.models.text_classifier.VARIANTS["tiny"]
    model = zoo.text_classifier(vocabulary_size=50, num_classes=3, **sizes)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    x, y = rng.integers(1, 50, (16, 10)), rng.integers(0, 3, 16)
    losses = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
    ka.save_model(model, path)
    return losses, x, len(model.weights[0].value.sharding.device_set)


one, x, count = train(None, "one.keras")
assert count == 1, count
two, x, count = train(keras.distribution.DataParallel(), "two.keras")
assert count == 2, count
np.testing.assert_allclose(two, one, rtol=1e-5)
keras.distribution.set_distribution(None)
outputs = [np.asarray(ka.load_model(f"{name}.keras")(x)) for name in ("one", "two")]
np.testing.assert_allclose(outputs[1], outputs[0], atol=1e-4)
"""


def test_two_devices_compute_what_one_does(tmp_path):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    done = subprocess.run(
        [sys.executable, "-c", TRAINING],
        cwd=tmp_path,
        env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": root},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
