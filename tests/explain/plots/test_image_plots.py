"""Pictures of what a model reads in an image."""

import numpy as np
import pytest
from keras import ops

from keras_attention.explain import plots

pytestmark = pytest.mark.runs_on("torch")


def weights(*shape):
    raw = np.random.default_rng(0).uniform(size=shape).astype("float32")
    return raw / raw.sum(axis=-1, keepdims=True)


def pictures(figure):
    return [ax for ax in figure.axes if ax.images]


def test_patches_are_read_by_the_mean_query():
    by_layer = plots.patch_weights(
        {"block_0/attention": ops.convert_to_tensor(weights(2, 3, 6, 6))}, 2, 3
    )
    np.testing.assert_allclose(
        by_layer["block_0"], weights(2, 3, 6, 6).mean(axis=(1, 2)).reshape(2, 2, 3), atol=1e-6
    )


def test_a_class_token_or_a_pooling_speaks_alone():
    maps = {"block_0/attention": weights(2, 3, 7, 7), "pooling": weights(2, 1, 1, 6)}
    by_layer = plots.patch_weights(maps, 2, 3)
    token = maps["block_0/attention"][:, :, 0, 1:].mean(axis=1)
    np.testing.assert_allclose(by_layer["block_0"], token.reshape(2, 2, 3), atol=1e-6)
    np.testing.assert_allclose(by_layer["pooling"], maps["pooling"].reshape(2, 2, 3), atol=1e-6)


def test_a_column_per_image_and_a_row_per_map(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 1), np.uint8)
    maps = {"block_0": weights(3, 2, 2), "pooling": weights(3, 2, 2)}
    figure = plots.image_attention(images, maps, ["a", "b", "c"], title="Three")
    grid = pictures(figure)
    assert len(grid) == 3 * 3
    assert [ax.get_title() for ax in grid[:3]] == ["a", "b", "c"]
    assert [grid[i].get_ylabel() for i in (0, 3, 6)] == ["image", "block_0", "pooling"]
    grey, heat = grid[4].images
    np.testing.assert_array_equal(grey.get_array(), images[1, ..., 0])
    np.testing.assert_allclose(heat.get_array(), maps["block_0"][1])
    assert heat.get_extent() == [-0.5, 7.5, 7.5, -0.5]
    scales = {ax.images[1].get_clim() for ax in grid[3:]}
    assert scales == {(0, max(value.max() for value in maps.values()))}
    assert "one scale for all" in " ".join(figure.get_supxlabel().split())
    assert "class token" in " ".join(figure.get_supxlabel().split())
    figure.savefig(tmp_path / "attention.png")


def test_heat_is_seen_on_black_and_on_white():
    """The darkest is far from both, and what is not read is the pale picture itself."""
    images = np.array([0, 255], "float32").reshape(1, 1, 2, 1)
    figure = plots.image_attention(images.repeat(2, axis=1), {"a": np.array([[[0, 0], [1, 1]]])})
    ax = pictures(figure)[1]
    grey, heat = ax.images
    pale = grey.cmap(grey.norm(grey.get_array()))[0, :, :3]
    assert pale.min() > 0.6
    *colour, opacity = heat.cmap(heat.norm(1.0))
    assert np.abs(np.array(colour) * opacity - pale * opacity).max(axis=-1).min() > 0.35
    assert heat.cmap(heat.norm(0.0))[3] == 0


def test_colours_are_drawn_as_they_are():
    images = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), np.uint8)
    first, below = pictures(plots.image_attention(images, {"a": weights(1, 2, 2)}))
    np.testing.assert_array_equal(first.images[0].get_array(), images[0])
    np.testing.assert_allclose(below.images[0].get_array(), images[0].mean(axis=-1))


def test_what_does_not_fit_is_refused():
    images, maps = np.zeros((2, 8, 8, 1)), {"a": weights(2, 2, 2)}
    with pytest.raises(ValueError, match="'titles' must have one entry for each of the 2 images"):
        plots.image_attention(images, maps, ["a"])
    with pytest.raises(ValueError, match="'a' must have one entry"):
        plots.image_attention(images, {"a": weights(3, 2, 2)})
    with pytest.raises(ValueError, match="no attention maps"):
        plots.image_attention(images, {})
    with pytest.raises(ValueError, match=r"'a' has weights of 5 positions.*2 x 3 patches"):
        plots.patch_weights({"a": weights(2, 1, 5, 5)}, 2, 3)


def test_a_picture_per_word(tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    words = [f"word{i}" for i in range(7)]
    figure = plots.word_attention(image, words, weights(7, 2, 3), title="Seven")
    first, *others = pictures(figure)
    np.testing.assert_array_equal(first.images[0].get_array(), image)
    assert [ax.get_title() for ax in others] == words
    for ax, expected in zip(others, weights(7, 2, 3), strict=True):
        grey, heat = ax.images
        np.testing.assert_allclose(grey.get_array(), image.mean(axis=-1))
        np.testing.assert_allclose(heat.get_array(), expected)
        assert heat.get_extent() == [-0.5, 7.5, 7.5, -0.5]
    figure.savefig(tmp_path / "words.png")
    for wrong in ((words[:3], weights(7, 2, 3)), ([], weights(1, 2, 3)), (words, weights(7, 6))):
        with pytest.raises(ValueError, match=r"shape \(T, rows, columns\) for T `words`"):
            plots.word_attention(image, *wrong)
    alone = plots.word_attention(image, [], weights(0, 2, 3), title="(no word)")
    assert [ax.images[0].get_array().shape for ax in alone.axes] == [image.shape]
    alone.savefig(tmp_path / "alone.png")
