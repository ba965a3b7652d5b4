"""ImageConverter against the image processors of Hugging Face, those that resize by pillow.

The published checkpoints were made with these. Transformers 5 has others beside them, by
torchvision, whose filters differ from pillow's.
"""

import json

import keras
import numpy as np
import pytest
from PIL import Image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from tests.backend import to_numpy
from zoo.pretrained.preprocessing import image_converter

SMALL = {"size": {"height": 32, "width": 24}}
CROPPED = {"size": {"height": 32, "width": 32}, "crop_size": {"height": 28, "width": 28}}
SHORTEST = {"size": {"shortest_edge": 30}, "crop_size": {"height": 28, "width": 26}}
PROCESSORS = {  # the last is what DINOv2 has
    "vit": ViTImageProcessorPil(**SMALL),
    "deit": DeiTImageProcessorPil(**CROPPED),
    "clip": CLIPImageProcessorPil(**SHORTEST),
    "siglip": SiglipImageProcessorPil(**SMALL),
    "dinov2": BitImageProcessorPil(**SHORTEST, image_mean=[0.485, 0.456, 0.406]),
    "small_images": CLIPImageProcessorPil(size={"shortest_edge": 10}, crop_size=28),
    "cut_alone": DeiTImageProcessorPil(do_resize=False, **CROPPED),
    "no_crop": DeiTImageProcessorPil(do_center_crop=False, **CROPPED),
    "nearest": ViTImageProcessorPil(**SMALL, resample=0),
    "lanczos": ViTImageProcessorPil(**SMALL, resample=1),
    "box": ViTImageProcessorPil(**SMALL, resample=4),
    "hamming": ViTImageProcessorPil(**SMALL, resample=5),
    "no_rescaling": ViTImageProcessorPil(**SMALL, do_rescale=False, image_mean=[120, 130, 140]),
    "half_range": ViTImageProcessorPil(**SMALL, rescale_factor=1 / 127.5, image_mean=[1, 1, 1]),
    "no_normalisation": ViTImageProcessorPil(**SMALL, do_normalize=False),
    "pixels": ViTImageProcessorPil(**SMALL, do_rescale=False, do_normalize=False),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_pixels_are_those_of_the_processor(name):
    rng = np.random.default_rng(0)
    shapes = [(60, 91), (77, 40), (28, 28), (21, 200)]
    images = [Image.fromarray(rng.integers(0, 256, (*shape, 3), np.uint8)) for shape in shapes]
    layer = image_converter(json.loads(PROCESSORS[name].to_json_string()))
    ours = to_numpy(layer(layer.encode(images)))
    for image, pixels in zip(images, ours, strict=True):
        (theirs,) = PROCESSORS[name](image, return_tensors="np")["pixel_values"]
        # XLA multiplies by reciprocals, which costs the last bit; PyTorch's are equal.
        exact = {"torch": 0.0}.get(keras.backend.backend(), 5e-7)
        np.testing.assert_allclose(pixels, np.moveaxis(theirs, 0, -1), rtol=exact, atol=exact)
