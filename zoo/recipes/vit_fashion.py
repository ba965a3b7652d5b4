"""Fashion-MNIST: 92.2 % by a compact vision transformer from scratch, on one core of a CPU.

Data: 70,000 grey images of clothes; 55,000 to train on, 5,000 to choose by, the official 10,000
to test on. Half of the training images are mirrored, all are shifted by up to 1 pixel.

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python scripts/train.py vit_fashion

Test accuracy in %, one training (seed 0):

| model                                               | parameters | accuracy |
|-----------------------------------------------------|-----------:|---------:|
| default: two convolutions, attention pooling        |    186,058 |     92.2 |
| logistic regression on the pixels                   |      7,850 |     84.5 |
| published: XGBoost                                  |            |     89.8 |
| published: two convolutions                         | < 100,000  |     92.5 |
| published: ResNet-18                                |            |     94.9 |

The 15 epochs took 64 minutes of one core of an AMD EPYC that was shared with other work. Published
are the figures of the dataset's README.

What fell short: 92.5 was the aim. At the end 93.2 % of the training images are right, shifted as
they are, and 92.3 % of those for validation, which still improved: more epochs are what to try
next. With convolutions of stride 2 in place of pooling, three layers, shifts of 2 pixels and
dropout, 26 epochs had given 91.5 %. The variant `plain`, a vision transformer without convolutions,
has 84.9 % after its 3 epochs (seed 0, JAX); its explanations are measured in docs/faithfulness.md.

The images are light on black: a photograph on white has to be inverted first.
Keras 3.15.1, torch 2.13.0, scikit-learn 1.9.1.
"""

import keras

import keras_attention as ka
from zoo.data import fashion_mnist as data
from zoo.harness.experiment import Recipe, sizes
from zoo.models.vit import VARIANTS as VIT
from zoo.models.vit import vit
from zoo.tasks import images

VARIANTS = {
    "default": VIT["compact"],
    "plain": VIT["default"],
    "tiny": VIT["tiny_compact"],
    "tiny_plain": VIT["tiny"],
}
EPOCHS = {"default": 15, "plain": 3}
BATCH_SIZE = 128


def recipe(*, variant: str = "default", seed: int = 0, smoke: bool = False) -> Recipe:
    """Returns the experiment of this file.

    Args:
        variant: `"default"`, convolutions and attention pooling; or `"plain"`, a ViT.
        seed: of the initial weights, the order, the augmentation and the dropout.
        smoke: made-up images and one epoch, to see that everything runs.
    """
    keras.utils.set_random_seed(seed)
    splits = data.sample() if smoke else data.load()
    x, _ = splits.train
    model = vit(
        **sizes(VARIANTS, variant),
        image_size=28,
        channels=1,
        mean=float(x.mean() / 255),
        std=float(x.std() / 255),
        augmentation=ka.layers.ImageAugmentation(flip=True, shift=0.04, name="augmentation"),
        num_classes=len(splits.class_names),
        class_names=splits.class_names,
    )
    return images.make_recipe(
        splits,
        name="vit_fashion",
        variant=variant,
        seed=seed,
        model=model,
        epochs=1 if smoke else EPOCHS.get(variant, 1),
        batch_size=BATCH_SIZE,
        peak=2e-3,
        warmup=0.05,
        published={
            "two convolutions, below 100,000 parameters (README of the dataset)": 0.925,
            "XGBoost (the same)": 0.898,
            "ResNet-18 (the same)": 0.949,
        },
        next_step="python scripts/predict.py {folder}/model.keras {folder}/example.png",
    )
