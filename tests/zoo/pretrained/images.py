"""Tiny random models of images by transformers, and the checkpoint that one backend's tests read.

    python -m tests.zoo.pretrained.images

It is a folder as transformers saves it, with what transformers computes of it: features, attention
maps and logits, those of images of another size, and those of a photograph through its processor.
"""

from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from tests.references.compare import randomize

FOLDER = Path(__file__).parent / "checkpoints" / "vit"
NAMES = ("cat", "dog", "owl")
CONFIG = dict(
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=40,
    image_size=12,
    patch_size=4,
    id2label=dict(enumerate(NAMES)),
    label2id={name: i for i, name in enumerate(NAMES)},
)
CLASSES = {"features": transformers.ViTModel, "classes": transformers.ViTForImageClassification}


def make_reference(task, **config):
    """Returns a random model of transformers."""
    config = transformers.ViTConfig(**{**CONFIG, **config}, attn_implementation="eager")
    return randomize(CLASSES[task](config), seed=1)


def make_processor(size=12, channels=3):
    """Returns a processor whose channels differ."""
    height, width = (size, size) if isinstance(size, int) else size
    return ViTImageProcessorPil(
        size={"height": height, "width": width},
        image_mean=[0.4, 0.5, 0.6][:channels],
        image_std=[0.2, 0.3, 0.25][:channels],
    )


def save_reference(reference, folder):
    """Writes a model and its processor."""
    config = reference.config
    reference.save_pretrained(folder)
    make_processor(config.image_size, config.num_channels).save_pretrained(folder)


def make_images(size=12, channels=3):
    """Returns images `(2, height, width, C)` from 0 to 255, and what transformers takes of them."""
    height, width = (size, size) if isinstance(size, int) else size
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, channels), np.uint8)
    processor = make_processor(size, channels)
    values = processor(list(images), return_tensors="pt", input_data_format="channels_last")
    return images, values["pixel_values"]


def main():
    reference = make_reference("classes")
    save_reference(reference, FOLDER)
    images, values = make_images()
    larger, larger_values = make_images((16, 20))
    photograph = np.random.default_rng(1).integers(0, 256, (23, 35, 3), np.uint8)
    seen = make_processor()(photograph, return_tensors="pt", input_data_format="channels_last")
    with torch.no_grad():
        outputs = reference(values, output_attentions=True)
        np.savez_compressed(
            FOLDER / "expected.npz",
            images=images,
            features=reference.vit(values).last_hidden_state.numpy(),
            maps=np.stack([weights.numpy() for weights in outputs.attentions]),
            logits=outputs.logits.numpy(),
            larger_images=larger,
            larger_logits=reference(larger_values, interpolate_pos_encoding=True).logits.numpy(),
            photograph=photograph,
            photograph_logits=reference(seen["pixel_values"]).logits.numpy(),
        )


if __name__ == "__main__":
    main()
