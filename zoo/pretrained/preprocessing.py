"""Published image processors as `ImageConverter`: what `preprocessor_config.json` says."""

import re
from collections.abc import Mapping
from typing import Any

import keras_attention as ka
from zoo.pretrained.checkpoint import Checkpoint

_HALVES: dict[str, Any] = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
_CLIP: dict[str, Any] = {
    "do_center_crop": True,
    "size": {"shortest_edge": 224},
    "default_to_square": False,
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
# What a file means that leaves a setting out: first whatever its processor, then by processor.
_DEFAULTS: dict[str, Any] = {
    "do_resize": True,
    "size": 224,
    "default_to_square": True,
    "resample": 2,
    "do_center_crop": False,
    "crop_size": 224,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
}
_PROCESSORS: dict[str, dict[str, Any]] = {
    "ViT": _HALVES,
    "DeiT": {**_HALVES, "do_center_crop": True, "size": 256, "resample": 3},
    "CLIP": _CLIP,
    "Siglip": {**_HALVES, "default_to_square": False, "resample": 3},
    "Bit": _CLIP,  # that of DINOv2
}
# Numbers do not depend on these: an ImageConverter always makes colours of what is grey or has a
# palette, and the rest is about the tensors that the processor returns.
_HARMLESS = {
    "image_processor_type",
    "feature_extractor_type",
    "processor_class",
    "do_convert_rgb",
    "data_format",
    "input_data_format",
    "return_tensors",
    "device",
    "disable_grouping",
    "_valid_processor_keys",
}
FILE, NESTED = "preprocessor_config.json", "processor_config.json"
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def read_processor(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """Returns the settings of a checkpoint's image processor; none if it has no file of them."""
    files = [checkpoint.json(name) for name in (NESTED, FILE)]
    for name, content in zip((NESTED, FILE), files, strict=True):
        if not isinstance(content, Mapping):
            raise ValueError(f"{checkpoint.source}: {name} has no settings by name.")
    nested = files[0].get("image_processor")
    return nested if isinstance(nested, Mapping) else files[1]


def read(
    checkpoint: Checkpoint, *, family: str, image_size: tuple[int, int], channels: int
) -> ka.layers.ImageConverter:
    """Returns the first node of a checkpoint's model, see `image_converter`."""
    processor = read_processor(checkpoint)
    return image_converter(processor, family=family, image_size=image_size, channels=channels)


def image_converter(
    processor: Mapping[str, Any],
    *,
    family: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
    name: str = "pixels",
) -> ka.layers.ImageConverter:
    """Returns the first node of an image model, with the processor's own numbers.

    They are those of the processor that resizes by pillow, with which these checkpoints were
    published. The "fast" ones of Hugging Face resize by torchvision. Of those five kinds their
    pixels were seen to be one or two of 255 levels apart, on average less than a hundredth of one.

    Args:
        processor: the content of `preprocessor_config.json`, of any age; empty where there is no
            such file.
        family: whose published defaults hold where the file does not name its processor, or where
            there is none: `"ViT"`, `"DeiT"`, `"CLIP"`, `"Siglip"` or `"Bit"`.
        image_size: height and width of the model's images, by which the processor's sizes are
            scaled; the processor's if `None`.
        channels: 1 or 3.
        name: of the layer.

    Raises:
        ValueError: there is neither file nor family; the processor is not known; or a setting of
            the file would change numbers and cannot be followed.
    """
    settings = _read_settings(processor, family)
    normalize = settings["do_normalize"]
    return ka.layers.ImageConverter(
        **_read_sizes(settings, image_size),
        channels=channels,
        mean=_read_numbers(settings, "image_mean") if normalize else 0.0,
        std=_read_numbers(settings, "image_std") if normalize else 1.0,
        resample=_FILTERS[settings["resample"]] if settings["do_resize"] else "bilinear",
        rescale_factor=_read_factor(settings),
        name=name,
    )


def describe(
    checkpoint: Checkpoint, *, family: str, image_size: tuple[int, int]
) -> tuple[str, dict[str, Any]]:
    """Returns the name and the content of the file that says how images come to another size."""
    processor = read_processor(checkpoint)
    settings = _read_settings(processor, family)
    sizes = _read_sizes(settings, image_size)
    described = {"image_processor_type": f"{family}ImageProcessor", **processor}
    described["crop_size" if settings["do_center_crop"] else "size"] = {
        "height": sizes["height"],
        "width": sizes["width"],
    }
    if sizes.get("resize") == "shortest_edge":
        described["size"] = {"shortest_edge": sizes["resize_to"]}
    elif "resize_to" in sizes:
        described["size"] = dict(zip(("height", "width"), sizes["resize_to"], strict=True))
    nested = checkpoint.json(NESTED)
    if "image_processor" in nested:
        return NESTED, {**nested, "image_processor": described}
    return FILE, described


def _read_settings(processor: Mapping[str, Any], family: str | None) -> dict[str, Any]:
    """Returns all settings that change numbers, checked but for sizes and numbers."""
    known = {**_DEFAULTS, **_PROCESSORS[_name_processor(processor, family)]}
    given = {key: value for key, value in processor.items() if value is not None}
    for key, value in given.items():
        if key not in known and key not in _HARMLESS and value is not False:
            raise ValueError(
                f"The image processor's `{key}` cannot be followed. Received: {key}={value!r:.100}."
                f" Known settings: {', '.join(known)}"
            )
    settings = {**known, **given}
    for key in known:
        if key.startswith(("do_", "default_")) and not isinstance(settings[key], bool):
            raise ValueError(f"`{key}` must be true or false. Received: {settings[key]!r:.100}")
    resample = settings["resample"]
    if settings["do_resize"] and not (type(resample) is int and resample in _FILTERS):
        raise ValueError(
            f"`resample` must be pillow's number of a filter, 0 to 5. Received: {resample!r:.100}"
        )
    return settings


def _name_processor(processor: Mapping[str, Any], family: str | None) -> str:
    """Returns the processor's name in `_PROCESSORS`."""
    named = processor.get("image_processor_type") or processor.get("feature_extractor_type")
    if named is None and family is None:
        raise ValueError(
            "There is no preprocessor_config.json that names its `image_processor_type`, so that "
            "size and colours of the model's images are unknown. Get the file of the checkpoint."
        )
    match = re.fullmatch(r"(\w+?)(ImageProcessor|FeatureExtractor)(Fast|Pil)?", str(named))
    kind = family if named is None else match and match[1]
    if kind not in _PROCESSORS:
        names = ", ".join(f"{known}ImageProcessor" for known in _PROCESSORS)
        raise ValueError(f"The image processor must be one of {names}. Received: {named or family}")
    return kind


def _read_sizes(
    settings: Mapping[str, Any], image_size: int | tuple[int, int] | None
) -> dict[str, Any]:
    """Returns the `ImageConverter`'s height, width, `resize` and `resize_to`."""
    square = settings["default_to_square"]
    resized = _read_size("size", settings["size"], square) if settings["do_resize"] else None
    if settings["do_center_crop"]:
        published = _read_size("crop_size", settings["crop_size"], True)
    elif resized is None:  # images come in the model's size; those that do not are stretched
        published = _read_size("size", settings["size"], True)
    else:
        published = resized
    if len(published) != 2:
        name = "crop_size" if settings["do_center_crop"] else "size"
        raise ValueError(
            f"`{name}` must have height and width: by the shortest edge alone images come in any "
            f"shape, and a model takes one. Received: {name}={settings[name]}, "
            f"do_center_crop={settings['do_center_crop']}"
        )
    height, width = _make_pair(image_size) if image_size is not None else published
    arguments = {"height": height, "width": width}
    if not settings["do_center_crop"]:
        return arguments
    if resized is None:
        return {**arguments, "resize": "none"}
    scales = (height / published[0], width / published[1])
    if len(resized) == 1:
        return {
            **arguments,
            "resize": "shortest_edge",
            "resize_to": round(resized[0] * max(scales)),
        }
    return {
        **arguments,
        "resize_to": tuple(round(x * y) for x, y in zip(resized, scales, strict=True)),
    }


def _read_size(name: str, value: Any, square: bool) -> tuple[int, ...]:
    """Returns height and width, or the length of the shortest edge alone."""
    if isinstance(value, int):
        size: Any = (value, value) if square else (value,)
    elif isinstance(value, Mapping):
        present = {key: number for key, number in value.items() if number is not None}
        keys = ("shortest_edge",) if "shortest_edge" in present else ("height", "width")
        size = tuple(present.get(key) for key in keys)
        if set(present) != set(keys):
            size = ()
    else:
        size = tuple(value) if isinstance(value, (list, tuple)) and len(value) == 2 else ()
    if not size or not all(type(number) is int and number > 0 for number in size):
        raise ValueError(
            f"`{name}` must be a positive integer, {{'height', 'width'}} or {{'shortest_edge'}}. "
            f"Received: {name}={value!r}"
        )
    return size


def _make_pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _read_numbers(settings: Mapping[str, Any], name: str) -> list[float]:
    """Returns a statistic of each channel."""
    value = settings[name]
    numbers = value if isinstance(value, (list, tuple)) else [value]
    if not numbers or not all(type(number) in (int, float) for number in numbers):
        raise ValueError(f"`{name}` must be numbers. Received: {name}={value!r}")
    return value if numbers is not value else list(numbers)


def _read_factor(settings: Mapping[str, Any]) -> float:
    """Returns what pixels are multiplied by."""
    factor = settings["rescale_factor"] if settings["do_rescale"] else 1.0
    if type(factor) not in (int, float):
        raise ValueError(f"`rescale_factor` must be a number. Received: {factor!r}")
    return factor
