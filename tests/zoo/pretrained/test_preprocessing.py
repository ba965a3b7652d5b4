"""Files of image processors, of every age, and what is refused of them."""

import pytest

import keras_attention as ka
from zoo.pretrained.preprocessing import image_converter

pytestmark = pytest.mark.runs_on("torch")

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
VIT = {  # of google/vit-base-patch16-224, 2021
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "size": 224,
}
DEIT = {  # of facebook/deit-base-patch16-224, 2021
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "DeiTFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "size": 256,
}
DINO = {  # of facebook/dinov2-base, 2023
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "BitImageProcessor",
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 256},
}


def settings(*names, **arguments):
    config = image_converter(**{"processor": {}, "family": "ViT", **arguments}).get_config()
    return {name: config[name] for name in names}


def sizes(**arguments):
    return list(settings("height", "width", "resize", "resize_to", **arguments).values())


def test_files_of_every_age():
    assert sizes(processor=VIT) == [224, 224, "stretch", None]
    assert sizes(processor=DEIT) == [224, 224, "stretch", (256, 256)]
    assert sizes(processor=DINO) == [224, 224, "shortest_edge", (256, 256)]
    assert settings("resample", "mean", "rescale_factor", processor=DINO) == {
        "resample": "bicubic",
        "mean": [0.485, 0.456, 0.406],
        "rescale_factor": 0.00392156862745098,
    }
    assert settings("resample", processor=VIT) == {"resample": "bilinear"}
    for named in ("ViTImageProcessor", "ViTImageProcessorFast", "ViTImageProcessorPil"):
        assert image_converter({"image_processor_type": named}).width == 224


def test_what_a_file_leaves_out_is_what_its_processor_has():
    """The integer size of CLIP's is the shortest edge, that of ViT's the side of a square."""
    clip = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 32, "crop_size": 28}
    assert sizes(processor=clip) == [28, 28, "shortest_edge", (32, 32)]
    assert settings("mean", "resample", processor=clip)["mean"] == CLIP_MEAN
    assert sizes(processor={}, family="ViT") == [224, 224, "stretch", None]
    assert sizes(processor={}, family="DeiT") == [224, 224, "stretch", (256, 256)]
    assert sizes(processor={**DEIT, "crop_size": None}) == sizes(processor=DEIT), "null is nothing"
    with pytest.raises(ValueError, match=r"no preprocessor_config\.json that names"):
        image_converter({})


def test_other_sizes_scale_what_comes_before_the_crop():
    assert sizes(processor=VIT, image_size=384) == [384, 384, "stretch", None]
    assert sizes(processor=DEIT, image_size=448) == [448, 448, "stretch", (512, 512)]
    assert sizes(processor=DINO, image_size=(112, 448)) == [112, 448, "shortest_edge", (512, 512)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"do_resize": False}, {"resize": "none", "resize_to": None}),
        ({"do_center_crop": False}, {"height": 256, "resize_to": None}),
        ({"do_resize": False, "do_center_crop": False}, {"height": 256, "resize": "stretch"}),
        ({"do_rescale": False, "image_mean": 120, "image_std": 51.0},
         {"rescale_factor": 1.0, "mean": [120.0] * 3, "std": [51.0] * 3}),
        ({"rescale_factor": 1 / 127.5}, {"rescale_factor": 1 / 127.5}),
        ({"do_normalize": False}, {"mean": [0.0] * 3, "std": [1.0] * 3}),
        ({"image_mean": [0.1, 0.2, 0.3]}, {"mean": [0.1, 0.2, 0.3]}),
        ({"image_std": 0.25}, {"std": [0.25] * 3}),
        ({"resample": 1}, {"resample": "lanczos"}),
        ({"size": {"height": 30, "width": 40}}, {"resize": "stretch", "resize_to": (30, 40)}),
        ({"size": {"shortest_edge": 30}}, {"resize": "shortest_edge", "resize_to": (30, 30)}),
        ({"size": [30, 40]}, {"resize_to": (30, 40)}),
        ({"crop_size": {"height": 30, "width": 40}}, {"height": 30, "width": 40}),
        ({"default_to_square": False}, {"resize": "shortest_edge", "resize_to": (256, 256)}),
        ({"do_convert_rgb": True, "data_format": "channels_first", "do_pad": False}, {}),
    ],
)  # fmt: skip
def test_every_setting_that_changes_numbers_is_read(change, expected):
    plain = image_converter(DEIT).get_config()
    config = image_converter({**DEIT, **change}).get_config()
    assert {key: config[key] for key in expected} == expected
    assert (config != plain) == bool(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_processor_type": "ConvNextImageProcessor"}, "one of ViTImage.*ConvNextImage"),
        ({"image_processor_type": 7}, "one of ViTImage.*Received: 7"),
        ({"do_pad": True}, "`do_pad` cannot be followed. Received: do_pad=True"),
        ({"rescale_offset": 1}, "`rescale_offset` cannot be followed"),
        ({"crop_pct": 0.875}, "`crop_pct` cannot be followed"),
        ({"auto_map": {"AutoImageProcessor": "x.Y"}}, "`auto_map` cannot be followed"),
        ({"do_resize": "no"}, "`do_resize` must be true or false. Received: 'no'"),
        ({"resample": 9}, "`resample` must be pillow's number of a filter.*9"),
        ({"resample": "cubic"}, "`resample` must be pillow's"),
        ({"size": {"longest_edge": 30}}, "`size` must be.*longest_edge"),
        ({"size": {"shortest_edge": 30, "longest_edge": 40}}, "`size` must be.*longest_edge"),
        ({"size": {"height": 30}}, "`size` must be a positive integer"),
        ({"size": {"height": 30.5, "width": 30}}, "`size` must be"),
        ({"size": True}, "`size` must be"),
        ({"size": 10**6}, "`resize_to` must be at most"),
        ({"crop_size": 10**6}, "`height` times `width` must be at most"),
        ({"crop_size": {"shortest_edge": 3}}, "`crop_size` must have height and width"),
        ({"size": {"shortest_edge": 3}, "do_center_crop": False}, "`size` must have height and"),
        ({"rescale_factor": "1"}, "`rescale_factor` must be a number"),
        ({"rescale_factor": float("inf")}, "`rescale_factor` must be from"),
        ({"image_mean": "half"}, "`image_mean` must be numbers. Received: image_mean='half'"),
        ({"image_mean": [0.5, 0.5]}, "one for each channel"),
        ({"image_std": [0.5, 0.5, 0]}, "`std` must be a positive number"),
        ({"image_mean": 123.7}, "`mean` is of pixels times"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        image_converter({**DEIT, **change})


def test_the_file_of_the_model_carries_it(tmp_path):
    layer = image_converter(DINO, image_size=32)
    again = ka.layers.ImageConverter.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (layer.name, layer.resize_to) == ("pixels", (37, 37))
