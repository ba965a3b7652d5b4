"""Pictures of Q-networks: what they show, and that an animation is one."""

import numpy as np
import pytest
from PIL import Image

from tests.backend import to_numpy
from tests.zoo.models.test_q_network import CASES
from zoo.tasks.q_learning import pictures

pytestmark = pytest.mark.runs_on("torch")

POSITIONS = np.stack([np.linspace(-1, 1, 9), np.linspace(-0.2, 0.2, 9)], axis=1)
WEIGHTS = np.eye(3)[np.arange(9) % 3]


def test_attention_is_to_numbers_or_to_the_past():
    for case in CASES[:2]:
        x = next(iter(case.data(batch=4).values()))
        weights = to_numpy(pictures.capture_attention(case.make(), x))
        assert weights.shape == x.shape[:2]
        whole = 1.0 if x.ndim == 3 else weights.sum(axis=1)  # the rest is to the class token
        np.testing.assert_allclose(weights.sum(axis=1), whole, rtol=1e-5)
        assert (weights.sum(axis=1) <= 1 + 1e-5).all()


def test_advantage_is_the_second_action_over_the_first():
    figure = pictures.draw_advantage(
        lambda x: np.stack([0 * x[:, 0], 2 * x[:, 0] + x[:, 1]], axis=1),
        lambda angle, velocity: np.stack([angle, velocity], axis=1),
        actions=("left", "right"),
        title="",
        angle=1.0,
        velocity=4.0,
        size=3,
    )
    (image,) = figure.axes[0].images
    np.testing.assert_allclose(image.get_array(), [[-6, -4, -2], [-2, 0, 2], [2, 4, 6]])
    assert figure.axes[1].get_ylabel() == "value of right less that of left"


def test_timeline_has_attention_where_there_is_some():
    plain = pictures.draw_timeline(POSITIONS, None, (), title="")
    figure = pictures.draw_timeline(POSITIONS, WEIGHTS, ["a", "b", "c"], title="")
    assert len(plain.axes) == 1
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), WEIGHTS.T)


def test_an_animation_moves(tmp_path):
    for name, weights in {"plain": None, "attention": WEIGHTS}.items():
        animation = pictures.animate(POSITIONS, weights, ["a", "b", "c"], title="x", every=4)
        animation.save(tmp_path / f"{name}.gif")
        with Image.open(tmp_path / f"{name}.gif") as image:
            assert image.n_frames == 3
            assert image.info["duration"] == 80
            first = np.asarray(image.convert("L"), float)
            image.seek(2)
            assert np.abs(np.asarray(image.convert("L"), float) - first).mean() > 0.5
