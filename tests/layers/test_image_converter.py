"""ImageConverter: cases for the contract, NumPy's standardisation, and files of many kinds."""

import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_attention as ka
from tests.backend import to_numpy
from tests.contracts import Case

TORCH = pytest.mark.runs_on("torch")
COLOUR = {"height": 4, "width": 5, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}


def pixels(rng, shape, length):
    return rng.integers(0, 256, shape).astype("float32")


CASES = [
    Case(
        layer=ka.layers.ImageConverter,
        config=COLOUR,
        inputs={"image": (4, 5, 3)},
        values={"image": pixels},
        rows=None,
        stateless=True,
    )
]


@pytest.fixture
def grey():
    return np.random.default_rng(0).integers(0, 256, (4, 5), np.uint8)


def test_standardises_by_channel():
    image = pixels(np.random.default_rng(1), (2, 4, 5, 3), None)
    expected = (image / 255.0 - np.array(COLOUR["mean"])) / np.array(COLOUR["std"])
    output = to_numpy(ka.layers.ImageConverter(**COLOUR)(image))
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_integers_are_pixels_too():
    image = np.full((1, 4, 5, 3), 255, np.uint8)
    layer = ka.layers.ImageConverter(4, 5, mean=0.5, std=0.5)
    np.testing.assert_allclose(to_numpy(layer(image)), 1.0)


def test_files_pillow_images_and_arrays_are_the_same(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "grey.png")
    layer = ka.layers.ImageConverter(4, 5, 1)
    raw = [tmp_path / "grey.png", Image.fromarray(grey), grey]
    pixels = layer.encode([*raw, grey[..., None]])
    assert (pixels.dtype, pixels.shape) == (np.uint8, (4, 4, 5, 1))
    np.testing.assert_array_equal(pixels[..., 0], np.stack([grey] * 4))
    coloured = ka.layers.ImageConverter(4, 5, 3).encode([grey])
    np.testing.assert_array_equal(coloured[0], np.stack([grey] * 3, axis=-1))


def test_jpeg_is_read_and_colour_becomes_luminance(tmp_path):
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(tmp_path / "red.jpg", quality=95)
    colour = ka.layers.ImageConverter(16, 16).encode([tmp_path / "red.jpg"])
    np.testing.assert_allclose(colour[0], red, atol=4)
    light = ka.layers.ImageConverter(16, 16, 1).encode([tmp_path / "red.jpg"])
    np.testing.assert_allclose(light, 0.299 * 200, atol=3)  # ITU-R 601, as pillow documents


def test_transparent_images_lie_on_white(tmp_path):
    image = np.zeros((2, 2, 4), np.uint8)
    image[..., 3] = [[0, 255], [51, 204]]  # black, seen through to white
    Image.fromarray(image).save(tmp_path / "clear.png")
    pixels = ka.layers.ImageConverter(2, 2, 1).encode([tmp_path / "clear.png", image])
    for one in pixels:
        np.testing.assert_allclose(one[..., 0], [[255, 0], [204, 51]], atol=1)


def test_palettes_and_16_bits_are_pixels_too(tmp_path, grey):
    deep = (grey.astype(np.uint16) * 257).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    pixels = ka.layers.ImageConverter(4, 5, 1).encode(
        [tmp_path / "deep.png", tmp_path / "palette.png"]
    )
    np.testing.assert_array_equal(pixels[..., 0], np.stack([grey] * 2))


def test_photographs_are_turned_upright(tmp_path, grey):
    turned = Image.fromarray(grey)
    exif = turned.getexif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "turned.png", exif=exif)
    pixels = ka.layers.ImageConverter(4, 5, 1).encode([tmp_path / "turned.png"])
    np.testing.assert_array_equal(pixels[0, ..., 0], grey[::-1, ::-1])


def test_shrinking_averages():
    board = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (8, 8))
    pixels = ka.layers.ImageConverter(2, 4, 1).encode([board])
    assert pixels.shape == (1, 2, 4, 1)
    np.testing.assert_allclose(pixels, 127.5, atol=3)


def test_one_array_passes(grey):
    layer = ka.layers.ImageConverter(4, 5, 1)
    batch = np.stack([grey] * 3)[..., None]
    for given in (batch, batch[..., 0], batch.astype("float64")):
        pixels = layer.encode(given)
        assert pixels.dtype == (np.uint8 if given.dtype == np.uint8 else np.float32)
        np.testing.assert_array_equal(pixels, batch)
    assert layer.encode(batch[:0]).shape == (0, 4, 5, 1)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 5, 4, 1), np.uint8), r"shape \(B, 4, 5, 1\).*\(2, 5, 4, 1\)"),
        (np.zeros((4, 5, 3), np.uint8), r"shape \(B, 4, 5, 1\).*\(4, 5, 3\)"),
        (np.full((1, 4, 5, 1), 256.0), "from 0 to 255. Received: from 256.0"),
        (np.full((1, 4, 5, 1), np.nan), "from 0 to 255"),
        (np.full((1, 4, 5, 1), 0.7), "shares of 1.*Multiply by 255"),
        ([np.zeros((4, 5, 2), np.uint8)], r"1, 3 or 4 channels. Received: uint8.*\(4, 5, 2\)"),
        ([np.zeros((4, 5))], "a uint8 array .* Received: float64"),
    ],
)
def test_what_is_no_image_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        ka.layers.ImageConverter(4, 5, 1).encode(images)


def test_files_that_are_no_images_are_named(tmp_path, grey):
    layer = ka.layers.ImageConverter(4, 5, 1)
    (tmp_path / "note.png").write_text("not an image")
    Image.fromarray(grey).resize((90, 90)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:400])
    for name in ("note.png", "half.png"):
        with pytest.raises(ValueError, match=f"{name} cannot be read as an image"):
            layer.encode([tmp_path / name])
    with pytest.raises(FileNotFoundError, match=r"absent\.png"):
        layer.encode([tmp_path / "absent.png"])
    with pytest.raises(TypeError, match="a list of images"):
        layer.encode(tmp_path / "whole.png")


def test_missing_pillow_is_named_with_its_extra(monkeypatch, grey):
    monkeypatch.setitem(sys.modules, "PIL", None)
    layer = ka.layers.ImageConverter(4, 5, 1)
    assert layer.encode(grey[None]).shape == (1, 4, 5, 1)  # arrays need none
    with pytest.raises(ImportError, match=r'pip install "keras-attention\[image\]"'):
        layer.encode([grey])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"channels": 2}, "`channels` must be one of 1, 3"),
        ({"mean": [0.1, 0.2]}, "one for each channel"),
        ({"mean": 77.8}, r"`mean` .* shares of 255, .* at most 1\. Received: mean=77\.8.*=0\.3051"),
        ({"mean": [0, 51, 255]}, r"mean=\[0, 51, 255\].*pass mean=\[0\.0, 0\.2, 1\.0\]"),
        ({"mean": float("nan")}, "at most 1. Received: mean=nan"),
        ({"std": 51}, r"`std` .* at most 1\. Received: std=51.*pass std=0\.2"),
        ({"mean": 256, "rescale_factor": 1}, "`mean` .* at most 255. Received: mean=256"),
        ({"std": 0.0}, "`std` must be a positive number"),
        ({"height": 0}, "`height` must be a positive integer"),
        ({"height": 10**5, "width": 10**5}, "`height` times `width` must be at most"),
        ({"resize": "squash"}, "`resize` must be one of 'stretch', 'letterbox', 'crop'"),
        ({"resample": "cubic"}, "`resample` must be one of 'nearest', 'box', 'bilinear'"),
        ({"rescale_factor": 255}, "`rescale_factor` must be from 1e-6 to 1, such as 1 / 255"),
        ({"rescale_factor": float("nan")}, "`rescale_factor` must be"),
        ({"resize": "shortest_edge"}, "needs the length of that edge: pass `resize_to`"),
        ({"resize": "shortest_edge", "resize_to": (4, 5)}, r"Received: resize_to=\(4, 5\)"),
        ({"resize": "none", "resize_to": 4}, "None for resize='none'. Received: resize_to=4"),
        ({"resize_to": (4, 5, 6)}, r"\(height, width\) or one number"),
        ({"resize_to": 0}, "`resize_to` must be a positive integer"),
        ({"resize_to": 10**5}, "`resize_to` must be at most 50000000 pixels"),
    ],
)
def test_configuration_is_checked(config, message):
    with pytest.raises(ValueError, match=message):
        ka.layers.ImageConverter(**{"height": 4, "width": 5, **config})


def png_header(width, height):
    """A PNG of this size by its header, whose pixels nobody wrote."""
    chunks = b"\x89PNG\r\n\x1a\n"
    for kind, content in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(1000))),
        (b"IEND", b""),
    ):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        chunks += struct.pack(">I", len(content)) + kind + content + checksum
    return chunks


@TORCH
def test_large_images_are_refused_by_their_headers(tmp_path, grey):
    (tmp_path / "bomb.png").write_bytes(png_header(8000, 8000))
    layer = ka.layers.ImageConverter(4, 5, 1)
    with pytest.raises(ValueError, match=r"bomb\.png has 8000 x 8000 pixels, above the limit"):
        layer.encode([tmp_path / "bomb.png"])
    Image.fromarray(grey).save(tmp_path / "small.png")
    layer.max_pixels = 19
    with pytest.raises(ValueError, match="5 x 4 pixels, above the limit of 19"):
        layer.encode([tmp_path / "small.png"])
    with pytest.raises(ValueError, match="An image has 5 x 4 pixels"):
        layer.encode([Image.fromarray(grey)])
    assert "max_pixels" not in layer.get_config()
    layer.max_pixels = 20
    assert layer.encode([tmp_path / "small.png"]).shape == (1, 4, 5, 1)


@TORCH
def test_no_program_is_run_for_an_image(tmp_path, monkeypatch):
    def refuse(*command, **_):
        raise AssertionError(command)

    monkeypatch.setattr("subprocess.Popen", refuse)
    Image.new("RGB", (4, 4)).save(tmp_path / "script.eps")
    (tmp_path / "script.eps").rename(tmp_path / "innocent.png")
    with pytest.raises(ValueError, match=r"innocent\.png cannot be read as an image"):
        ka.layers.ImageConverter(4, 4).encode([tmp_path / "innocent.png"])


@TORCH
def test_only_paths_name_files(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "grey.png")
    layer = ka.layers.ImageConverter(4, 5, 1)
    with pytest.raises(TypeError, match=r"named by a `pathlib\.Path`.*grey\.png"):
        layer.encode([str(tmp_path / "grey.png")])
    with pytest.raises(ValueError, match="is no file"):
        layer.encode([tmp_path])
    with pytest.raises(ValueError, match="names no file"):
        layer.encode([tmp_path / ("x" * 300)])
    with pytest.raises(ValueError, match="names no file"):
        layer.encode([Path("a\0b")])


@TORCH
def test_a_file_that_comes_again_is_read_once(tmp_path, grey, monkeypatch):
    Image.fromarray(grey).save(tmp_path / "grey.png")
    opened, original = [], Image.open
    monkeypatch.setattr(Image, "open", lambda *a, **k: opened.append(a) or original(*a, **k))
    pixels = ka.layers.ImageConverter(4, 5, 1).encode([tmp_path / "grey.png"] * 9)
    assert (len(opened), pixels.dtype) == (1, np.uint8)
    np.testing.assert_array_equal(pixels[..., 0], np.stack([grey] * 9))


@TORCH
def test_every_kind_of_batch_is_one(grey):
    layer = ka.layers.ImageConverter(4, 5, 1)
    array = np.empty(2, object)
    array[:] = [Image.fromarray(grey), Image.fromarray(grey)]
    for raw in (array, tuple(array), iter(array), [grey, grey]):
        np.testing.assert_array_equal(layer.encode(raw)[..., 0], np.stack([grey] * 2))
    assert layer.encode([]).shape == (0, 4, 5, 1)
    assert layer.encode(np.array([], object)).shape == (0, 4, 5, 1)


@TORCH
@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ("stretch", [[100, 100, 200, 200]] * 4),
        ("letterbox", [[51] * 4, [100, 100, 200, 200], [100, 100, 200, 200], [51] * 4]),
        ("crop", [[100, 100, 200, 200]] * 4),
    ],
)
def test_other_shapes_are_stretched_letterboxed_or_cropped(resize, expected):
    """An image twice as wide as high, of which the outer quarters differ."""
    wide = np.repeat(np.array([[0, 100, 200, 255]], np.uint8), 2, axis=0)
    if resize != "crop":
        wide = np.repeat(np.array([[100, 100, 200, 200]], np.uint8), 2, axis=0)
    size = {"crop": (2, 2)}.get(resize, (4, 4))
    layer = ka.layers.ImageConverter(*size, 1, mean=0.2, resize=resize)
    (pixels,) = layer.encode([wide])
    expected = [[100, 200]] * 2 if resize == "crop" else expected
    np.testing.assert_array_equal(pixels[..., 0], expected)
    again = ka.layers.ImageConverter.from_config(layer.get_config())
    np.testing.assert_array_equal(again.encode([wide])[0], pixels)


def cut_middle(image, height, width):
    """Rows and columns of the middle, zeros where there are none: indices instead of a crop."""
    rows = np.arange(height) + (image.shape[0] - height) // 2
    columns = np.arange(width) + (image.shape[1] - width) // 2
    outside = (rows < 0) | (rows >= image.shape[0])
    beside = (columns < 0) | (columns >= image.shape[1])
    cut = image[rows.clip(0, image.shape[0] - 1)][:, columns.clip(0, image.shape[1] - 1)]
    return np.where(outside[:, None, None] | beside[None, :, None], 0, cut)


@TORCH
@pytest.mark.parametrize(
    "resample", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
)
@pytest.mark.parametrize(
    ("resize", "resize_to", "size"),
    [
        ("stretch", None, lambda height, width: (9, 8)),
        ("stretch", (12, 11), lambda height, width: (12, 11)),
        ("stretch", 5, lambda height, width: (5, 5)),  # smaller than 9 x 8: black around
        (
            "shortest_edge",
            11,
            lambda height, width: (
                (11, 11 * width // height) if height < width else (11 * height // width, 11)
            ),
        ),
        ("none", None, lambda height, width: (height, width)),
    ],
)
def test_is_resized_by_pillow_and_its_middle_cut_out(resample, resize, resize_to, size):
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in [(30, 47), (23, 7), (9, 8)]]
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.25])
    layer = ka.layers.ImageConverter(
        9, 8, 3, mean.tolist(), std.tolist(), resize, resample, resize_to, 1 / 127.5
    )
    layer = ka.layers.ImageConverter.from_config(json.loads(json.dumps(layer.get_config())))
    output = to_numpy(layer(layer.encode(images)))
    for image, pixels in zip(images, output, strict=True):
        height, width = size(*image.shape[:2])
        method = Image.Resampling[resample.upper()]
        resized = np.asarray(Image.fromarray(image).resize((width, height), method))
        expected = (cut_middle(resized, 9, 8) / 127.5 - mean) / std
        np.testing.assert_allclose(pixels, expected, atol=2e-6)


@TORCH
def test_a_long_image_is_no_bomb_when_its_shortest_edge_grows():
    layer = ka.layers.ImageConverter(4, 4, resize="shortest_edge", resize_to=4000)
    with pytest.raises(ValueError, match=r"has 4000000 x 4000 pixels, above the limit"):
        layer.encode([np.zeros((1, 1000, 3), np.uint8)])


@TORCH
def test_files_of_before_stretch():
    """Without what they do not say, by pillow's bilinear filter, and shares of 255."""
    config = ka.layers.ImageConverter(4, 5).get_config()
    for name in ("resize", "resample", "resize_to", "rescale_factor"):
        del config[name]
    layer = ka.layers.ImageConverter.from_config(config)
    image = np.random.default_rng(3).integers(0, 256, (9, 9, 3), np.uint8)
    resized = np.asarray(Image.fromarray(image).resize((5, 4), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(to_numpy(layer(layer.encode([image])))[0], resized / 255, atol=1e-6)
    config["mean"] = [77.8] * 3  # refused today, and yet it was what that model learned with
    layer = ka.layers.ImageConverter.from_config(config)
    assert layer.get_config()["mean"] == [77.8] * 3
    np.testing.assert_allclose(to_numpy(layer(image[None, :4, :5])).mean(), -77.3, atol=0.1)
