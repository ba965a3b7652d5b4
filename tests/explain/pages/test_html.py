"""The content of a page of attention weights; `test_page` opens one in a browser."""

import base64
import io
import json
import re
import zlib

import numpy as np
import pytest
from keras import ops

from keras_attention.explain.pages.html import to_html
from keras_attention.explain.pages.image import Patches
from keras_attention.explain.pages.weights import check_size

pytestmark = pytest.mark.runs_on("torch")

HOSTILE = [
    "<script>alert(1)</script>",
    "</script>",
    '"><img src=x onerror=alert(1)>',
    "\u2028&\ud800",
]


def weights(*shape, seed=0):
    raw = np.random.default_rng(seed).exponential(size=shape).astype("float32") ** 3
    return raw / raw.sum(axis=-1, keepdims=True)


def parts_of(view):
    """Returns the page before its data, the data, and the page after them."""
    return re.fullmatch(r'(.*id="data">)(.*?)(</script>.*)', str(view), re.DOTALL).groups()


def data_of(view):
    """Returns the data, with those of its one example."""
    data = json.loads(parts_of(view)[1])
    (example,) = data["examples"]
    return {**data, **example}


def stored(layer):
    """Returns the weights of a layer, as the page computes them, and the largest of each row."""
    heads, queries, _ = layer["shape"]
    largest = np.frombuffer(base64.b64decode(layer["largest"]), "<f4").reshape(heads, queries, 1)
    levels = np.frombuffer(zlib.decompress(base64.b64decode(layer["levels"])), np.uint8)
    if layer["bits"] == 8:
        return (levels.reshape(layer["shape"]) / 255) ** 2 * largest, largest
    low, high = levels.reshape(2, *layer["shape"]).astype(float)
    steps = low + 256 * high
    return np.where(steps == 65535, 0, 2 ** (-steps / 256)) * largest, largest


@pytest.mark.parametrize("bits", [8, 16])
def test_weights_come_back_within_the_stated_rounding(bits, monkeypatch):
    if bits == 8:
        monkeypatch.setattr("keras_attention.explain.pages.weights._MOST_FINE", 0)
    maps = {"a/attention": ops.convert_to_tensor(weights(2, 3, 5, 5)), "b": weights(1, 5, 5)}
    maps["b"][0, 3] = 0  # a query with nothing to see
    data = data_of(to_html(maps, list("abcde"), example=1, title="Two layers"))
    assert data["title"] == "Two layers"
    assert [layer["path"] for layer in data["maps"]] == ["a/attention", "b"]
    for layer, expected in zip(data["maps"], (weights(2, 3, 5, 5)[1], maps["b"]), strict=True):
        restored, largest = stored(layer)
        assert layer["bits"] == bits
        rounding = np.sqrt(expected * largest) / 255 + largest / 510**2
        allowed = rounding if bits == 8 else 0.0014 * expected
        assert (np.abs(restored - expected) <= 1.001 * allowed).all()
        np.testing.assert_allclose(largest[..., 0], expected.max(axis=-1), rtol=1e-6)


def test_layers_and_heads_are_chosen():
    maps = {f"block_{i}/attention": weights(1, 4, 3, 3) for i in range(3)}
    maps["pooling"] = weights(1, 1, 1, 3)
    data = data_of(to_html(maps, list("abc"), layers=["block_1", "pool*"], heads=[0, -1]))
    assert [layer["path"] for layer in data["maps"]] == ["block_1/attention", "pooling"]
    assert [layer["heads"] for layer in data["maps"]] == [[0, 3], [0]]
    np.testing.assert_allclose(stored(data["maps"][0])[0], weights(4, 3, 3)[[0, 3]], atol=5e-3)
    assert data["sequences"]["pooling"] == [{"tokens": ["pooling"]}]


def test_lengths_tell_which_sequence_is_which():
    maps = {
        "encoder": weights(2, 4, 4),
        "decoder/self": weights(2, 3, 3),
        "decoder/cross": weights(2, 3, 4),
    }
    data = data_of(to_html(maps, {"source": list("abcd"), "target": list("xyz")}))
    assert [(layer["queries"], layer["keys"]) for layer in data["maps"]] == [
        ("source", "source"),
        ("target", "target"),
        ("target", "source"),
    ]
    assert data["sequences"]["source"] == [{"tokens": list("abcd")}]
    numbers = data_of(to_html(maps))["sequences"]
    assert numbers["4 positions"] == [{"tokens": ["0", "1", "2", "3"]}]


def test_axes_tell_where_lengths_do_not():
    maps = {"encoder/0": weights(1, 3, 3), "decoder/cross": weights(1, 3, 3)}
    tokens = {"source": list("abc"), "target": list("xyz")}
    with pytest.raises(ValueError, match=r"fit in more than one way.*axes=\{'encoder/0'"):
        to_html(maps, tokens)
    axes = {"encoder": ("source", "source"), "*/cross": ("target", "source")}
    data = data_of(to_html(maps, tokens, axes=axes))
    assert data["maps"][1]["queries"] == "target"
    with pytest.raises(ValueError, match="`axes` names 'image', and `tokens` only"):
        to_html(maps, tokens, axes={"encoder": ("image", "source")})
    with pytest.raises(ValueError, match="'target' must name the 3 queries of 'encoder/0'"):
        to_html(maps, {**tokens, "target": ["x"]}, axes={"encoder": ("target", "source")})


def test_padding_is_cut():
    padded = np.zeros((1, 2, 6, 6), "float32")
    padded[:, :, :4, :4] = weights(1, 2, 4, 4)
    (layer,) = data_of(to_html({"a": padded}, list("abcd")))["maps"]
    assert layer["shape"] == [2, 4, 4]
    padded[..., 5] = 0.1
    with pytest.raises(ValueError, match="'a' relates 6 queries to 6 keys, and the sequences do"):
        to_html({"a": padded}, list("abcd"))


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
def test_images_are_png_files(shape):
    pillow = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    view = to_html({"vit": weights(2, 7, 7)}, ["class", Patches(pixels, (2, 3))])
    data = data_of(view)
    first, image = data["sequences"]["tokens"]
    assert first == {"tokens": ["class"]}
    assert [image[key] for key in ("rows", "columns", "width", "height")] == [2, 3, 6, 4]
    file = io.BytesIO(
        base64.b64decode(data["images"][image["image"]].removeprefix("data:image/png;base64,"))
    )
    np.testing.assert_array_equal(np.asarray(pillow.open(file)), pixels.squeeze())


def test_images_from_0_to_1_are_scaled():
    unit = np.linspace(0, 1, 12, dtype="float32").reshape(3, 4)
    np.testing.assert_array_equal(Patches(unit, (1, 1)).pixels[..., 0], np.rint(255 * unit))
    np.testing.assert_array_equal(Patches(255 * unit, (1, 1)).pixels[..., 0], np.rint(255 * unit))


def test_text_is_data_and_nothing_else():
    view = to_html({HOSTILE[0]: weights(1, 4, 4)}, HOSTILE, title=HOSTILE[1])
    before, data, after = parts_of(view)
    assert (before, after) == parts_of(to_html({"a": weights(1, 4, 4)}, list("abcd")))[::2]
    assert data.isascii()
    assert not set(data) & set("<>&")
    content = json.loads(data)
    (example,) = content["examples"]
    assert example["sequences"]["tokens"] == [{"tokens": HOSTILE}]
    assert (content["title"], example["maps"][0]["path"]) == (HOSTILE[1], HOSTILE[0])


def test_nothing_is_fetched():
    page = str(to_html({"a": weights(1, 4, 4)}, list("abcd")))
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(|<link[^>]+href=.(?!data:)", page)


def test_a_view_is_saved_and_shown_in_a_cell(tmp_path):
    view = to_html({"a": weights(1, 2, 2)}, ["<b>", '"'])
    path = view.save(tmp_path / "new" / "attention.html")
    assert path.read_text() == str(view)
    assert [file.name for file in path.parent.iterdir()] == ["attention.html"]
    cell = view._repr_html_()
    assert cell.startswith("<iframe")
    assert cell.count("<") == 2  # the frame's own
    assert len(repr(view)) < 100


def test_large_views_warn_and_larger_ones_are_refused(monkeypatch):
    maps = {f"block_{i}": weights(2, 8, 8) for i in range(3)}
    monkeypatch.setattr("keras_attention.explain.pages.view._LARGEST_CELL", 1000)
    with pytest.warns(UserWarning, match=r"`layers=` or `heads=`, or save it"):
        to_html(maps)._repr_html_()
    monkeypatch.setattr("keras_attention.explain.pages.weights._MOST_WEIGHTS", 3 * 8 * 8)
    with pytest.raises(ValueError, match=r"hold 192 weights. Received: 384. Choose with `layers="):
        to_html(maps)
    to_html(maps, heads=[1])


def test_a_base_model_over_512_tokens_fits_and_one_over_1024_is_refused():
    class Shape:
        def __init__(self, *shape):
            self.shape = shape

    base = {f"block_{i}": Shape(1, 12, 512, 512) for i in range(12)}
    check_size(base, {path: list(range(12)) for path in base})
    with pytest.raises(ValueError, match="Received: 150,994,944"):
        to_html({path: Shape(1, 12, 1024, 1024) for path in base})


def test_errors_teach():
    maps = {"a": weights(1, 2, 3, 3)}
    wrong = [
        (({}, []), {}, "no attention maps"),
        ((maps, list("abcd")), {}, r"'a' relates 3 queries to 3 keys.*'tokens' of 4.*Name every"),
        ((maps, "abc"), {}, "'tokens' must be a list of strings"),
        ((maps,), {"layers": ["b"]}, r"`layers` must name some of \['a'\]"),
        ((maps,), {"heads": [2]}, "indices of the 2 heads of 'a'"),
        ((maps,), {"example": 1}, "one of the 1 of the batch"),
        (({"a": weights(3, 3)},), {}, "must have shape"),
        (({"a": weights(1, 2, 0, 3)},), {}, "'a' has no weights"),
        (({"a": -weights(1, 3, 3)},), {}, "finite and not negative"),
        (({"a": np.full((1, 2, 2), np.nan)},), {}, "finite and not negative"),
    ]
    for arguments, options, message in wrong:
        with pytest.raises(ValueError, match=message):
            to_html(*arguments, **options)
    for image, grid, message in [
        (np.zeros((2, 2, 2)), (1, 1), "1, 3 or 4 channels"),
        (np.full((2, 2), -1.0), (1, 1), "from 0 to 255"),
        (np.zeros((2, 2)), (0, 1), r"`grid` must be \(rows, columns\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            Patches(image, grid)
